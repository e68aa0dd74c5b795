#include "sparsity/base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace sparsify {

void SetThreads(int threads) {
  omp_set_num_threads(threads > 0 ? threads : std::max(1, omp_get_num_procs()));
}

int Threads() { return omp_get_max_threads(); }

void ParallelFor(int64_t count, const std::function<void(int64_t)>& body) {
  std::exception_ptr first;
  std::mutex mutex;
  std::atomic<bool> failed = false;
#pragma omp parallel for schedule(dynamic) if (count > 1)
  for (int64_t i = 0; i < count; ++i) {
    if (failed.load(std::memory_order_relaxed)) continue;
    try {
      body(i);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!first) first = std::current_exception();
      failed = true;
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace sparsify
