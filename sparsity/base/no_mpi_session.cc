// Built where CMake finds no MPI.
#include <cstdlib>

#include "sparsity/base/error.h"
#include "sparsity/base/mpi_session.h"

namespace sparsify {

struct MpiSession::Implementation {};

MpiSession::MpiSession() : ranks_(std::make_unique<Communicator>()) {
  const auto launch = FindLaunch([](const char* name) { return std::getenv(name); });
  if (!launch || launch->size <= 1) return;
  FailUsage("mpirun",
            "{} has started {} processes, but this program is built without MPI, and they would "
            "all write the same files; install libopenmpi-dev and build again, or start it once",
            launch->launcher, launch->size);
}

MpiSession::~MpiSession() = default;

bool MpiSession::IsBuilt() { return false; }

void MpiSession::Fail(const std::string& message, int /*exit_code*/,
                      const std::function<void(const std::string&)>& say) {
  say(message);
}

}  // namespace sparsify
