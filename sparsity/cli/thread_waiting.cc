#include "sparsity/cli/thread_waiting.h"

#include <unistd.h>

#include <cstdlib>

namespace sparsify {

void ShortenThreadWaiting(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "2000", 1) != 0) return;
  execv("/proc/self/exe", argv);
}

}  // namespace sparsify
