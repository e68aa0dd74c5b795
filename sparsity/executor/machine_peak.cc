#include "sparsity/executor/machine_peak.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "sparsity/base/log.h"
#include "sparsity/executor/arena.h"
#include "sparsity/executor/bandwidth.h"
#include "sparsity/executor/kernels/peak_loops.h"
#include "sparsity/executor/thread_team.h"

namespace sparsify {
namespace {

/// Results go here, so that no loop is left out.
std::atomic<float> sink;

/// The least time of many runs, within about 0.1 s; body(member, run).
double BestTime(ThreadTeam& team, const std::function<float(int, int)>& body) {
  using Clock = std::chrono::steady_clock;
  constexpr int kFewest = 4;
  constexpr int kMost = 200;
  const Clock::time_point stop = Clock::now() + std::chrono::milliseconds(100);
  double best = 1;
  for (int run = 0; run < kMost && (run < kFewest || Clock::now() < stop); ++run) {
    const double seconds =
        team.Run([&](int member) { sink.store(body(member, run), std::memory_order_relaxed); });
    best = std::min(best, std::max(seconds, 1e-9));
  }
  return best;
}

double MeasureArithmetic(const PeakLoops& loops, int threads) {
  constexpr int64_t kRounds = 50'000;  // 0.1 to 0.5 ms
  ThreadTeam team(threads);
  const double seconds =
      BestTime(team, [&](int /*member*/, int /*run*/) { return loops.multiply_add(kRounds); });
  return 1e-9 * static_cast<double>(kRounds * loops.flop_per_round * threads) / seconds;
}

double MeasureReading(const PeakLoops& loops, int threads) {
  constexpr int64_t kLeast = int64_t{32} << 20;
  constexpr int64_t kMostInAll = int64_t{256} << 20;
  constexpr int64_t kParts = 8;   // a run reads one: short enough for a busy machine
  constexpr int64_t kUnit = 512;  // bytes that the loop takes at once
  const int64_t wanted = std::max(kLeast, 16 * PrivateCacheBytes());
  const int64_t part = std::min(wanted, kMostInAll / threads) / (kParts * kUnit) * kUnit;
  ThreadTeam team(threads);
  std::vector<AlignedBuffer> buffers(static_cast<size_t>(threads));
  team.Run([&](int member) {
    buffers[static_cast<size_t>(member)] = AlignedBuffer(kParts * part);  // zeroed: pages exist
  });
  const double seconds = BestTime(team, [&](int member, int run) {
    const std::byte* at = buffers[static_cast<size_t>(member)].data() + run % kParts * part;
    return loops.sum(reinterpret_cast<const float*>(at),
                     part / static_cast<int64_t>(sizeof(float)));
  });
  return 1e-9 * static_cast<double>(part * threads) / seconds;
}

}  // namespace

std::string MachinePeak::ToString() const {
  return fmt::format("{}, {} thread{}: {:.1f} GFLOP/s, {:.1f} GB/s", IsaName(isa), threads,
                     threads == 1 ? "" : "s", gflops, gigabytes_per_second);
}

MachinePeak MeasurePeak(Isa isa, int threads) {
  static std::mutex mutex;
  static std::map<std::pair<Isa, int>, MachinePeak> known;
  const std::scoped_lock lock(mutex);
  const auto [entry, is_new] = known.try_emplace({isa, threads});
  MachinePeak& peak = entry->second;
  if (is_new) {
    const PeakLoops& loops = PeakLoopsFor(isa);
    peak = {isa, threads, MeasureArithmetic(loops, threads), MeasureReading(loops, threads)};
    Note("peak of this machine, {}", peak.ToString());
  }
  return peak;
}

}  // namespace sparsify
