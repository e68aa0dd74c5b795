// Thread count and parallel loops: the one door to OpenMP outside kernels.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>

namespace sparsify {

/// Number of worker threads for loops and dense primitives; >= 1.
/// SetThreads(0) returns to the machine's default (all available processors).
void SetThreads(int threads);
int Threads();

/// Calls body(i) for i in [0, count), dynamically spread over Threads() threads.
/// The first exception thrown by a body is rethrown here after the loop has ended.
void ParallelFor(int64_t count, const std::function<void(int64_t)>& body);

}  // namespace sparsify
