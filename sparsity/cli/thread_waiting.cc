#include "sparsity/cli/thread_waiting.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace sparsify {

void ShortenThreadWaiting(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "2000", 1) != 0) return;
  constexpr const char* kSelf = "/proc/self/exe";
  // Started by its own path the program keeps its name in lists of processes.
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink(kSelf, error);
  if (!error) execv(program.c_str(), argv);
  execv(kSelf, argv);
}

}  // namespace sparsify
