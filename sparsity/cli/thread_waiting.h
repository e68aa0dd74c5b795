// How long idle OpenMP threads spin before they sleep.
#pragma once

namespace sparsify {

/// Idle threads of GCC's OpenMP spin for milliseconds by default, which on a machine that
/// others use too makes two threads several times slower than one. The runtime reads its
/// settings before main, so this starts the program again with GOMP_SPINCOUNT set (about
/// 0.1 ms). Does nothing when the person has set GOMP_SPINCOUNT or OMP_WAIT_POLICY, or when
/// the program cannot be started again.
void ShortenThreadWaiting(char** argv);

}  // namespace sparsify
