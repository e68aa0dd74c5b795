#include <cstdlib>
#include <string_view>

#include "sparsity/base/mpi_session.h"

namespace sparsify {
namespace {

struct Variables {
  const char* launcher;
  const char* rank;
  const char* size;  // null: there is none
};

constexpr Variables kKnown[] = {
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
    {"PMI", "PMI_RANK", "PMI_SIZE"},
    {"PMIx", "PMIX_RANK", nullptr},
};

}  // namespace

std::optional<Launch> FindLaunch(const std::function<const char*(const char*)>& variable) {
  for (const Variables& known : kKnown) {
    const char* rank = variable(known.rank);
    const char* size = known.size != nullptr ? variable(known.size) : nullptr;
    if (rank == nullptr || (known.size != nullptr && size == nullptr)) continue;
    return Launch{std::atoi(rank), size != nullptr ? std::atoi(size) : 0, known.launcher};
  }
  return std::nullopt;
}

}  // namespace sparsify
