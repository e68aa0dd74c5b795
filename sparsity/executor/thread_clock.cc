#include "sparsity/executor/thread_clock.h"

#include <time.h>

#include <chrono>

namespace sparsify {
namespace {

double ThreadMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

double WallMs() {
  const std::chrono::duration<double, std::milli> now =
      std::chrono::steady_clock::now().time_since_epoch();
  return now.count();
}

}  // namespace

MillisecondClock TimingClock(int threads) { return threads == 1 ? ThreadMs : WallMs; }

}  // namespace sparsify
