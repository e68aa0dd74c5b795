// The clock of the benches that Python scripts drive.
#pragma once

#include <ctime>

#include "sparsity/base/parallel.h"

namespace sparsify {

/// Processor time where one thread runs, so that neighbours on a busy machine do not count; else
/// wall time.
inline double Milliseconds() {
  timespec t{};
  clock_gettime(Threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

}  // namespace sparsify
