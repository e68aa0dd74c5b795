// The clocks that kernels and plans are timed by.
#pragma once

namespace sparsify {

/// Milliseconds.
using MillisecondClock = double (*)();

/// For work on `threads` threads. One: the calling thread's own processor time, in which what other
/// processes took does not count. Several: the time of the wall.
MillisecondClock TimingClock(int threads);

}  // namespace sparsify
