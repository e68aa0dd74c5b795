// Loops over the threads of a kernel call: static shares, no allocation, nothing thrown.
#pragma once

#include <omp.h>

#include <cstdint>

namespace sparsify {

/// Calls body(i) for i in [0, count), each thread a contiguous share.
template <class Body>
void ParallelRange(int threads, int64_t count, const Body& body) noexcept {
  if (threads <= 1 || count <= 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace sparsify
