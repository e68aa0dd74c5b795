#include "sparsity/executor/machine_peak.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <vector>

#include "sparsity/base/log.h"
#include "sparsity/executor/kernels/peak_loops.h"

namespace sparsify {
namespace {

double Seconds(const std::function<void()>& body) {
  double best = 1e9;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count());
  }
  return best;
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    if (IsaSupported(isa)) isas.push_back(isa);
  }
  return isas;
}

/// 10^9 operations a second of one dependent chain of scalar multiplications and additions.
double NaiveGigaflops() {
  constexpr int kSteps = 400'000;
  volatile float start = 0.5F;
  volatile float end = 0;
  const double seconds = Seconds([&] {
    float x = start;
    const float factor = start + 0.4F;
    for (int i = 0; i < kSteps; ++i) x = x * factor + 0.1F;
    end = x;
  });
  return 2e-9 * kSteps / seconds;
}

TEST(PeakLoops, MultiplyAddIsAFixedNumberOfContractions) {
  // Every chain tends to 0.001 / (1 - 0.999) = 1, from a start of 0.999 i.
  for (const Isa isa : SupportedIsas()) {
    const PeakLoops& loops = PeakLoopsFor(isa);
    const auto chains = static_cast<float>(loops.flop_per_round) / 2;
    EXPECT_NEAR(loops.multiply_add(20'000), chains, 1e-2F * chains) << IsaName(isa);
    // After one round: sum over 12 chains of 0.999² i + 0.001, on each lane.
    const float once = 0.998001F * 66 + 0.012F;
    EXPECT_NEAR(loops.multiply_add(1), once * chains / 12, 1e-4F * chains * once) << IsaName(isa);
  }
}

TEST(PeakLoops, SumReadsEveryFloatOnce) {
  for (const Isa isa : SupportedIsas()) {
    alignas(64) float values[512];
    std::iota(std::begin(values), std::end(values), 0.0F);
    EXPECT_EQ(PeakLoopsFor(isa).sum(values, 512), 512 * 511 / 2) << IsaName(isa);
    EXPECT_EQ(PeakLoopsFor(isa).sum(values, 128), 128 * 127 / 2) << IsaName(isa);
    EXPECT_EQ(PeakLoopsFor(isa).sum(values, 0), 0) << IsaName(isa);
  }
}

TEST(MeasurePeak, IsAboveANaiveLoopByAPlausibleFactor) {
  const double naive = NaiveGigaflops();
  for (const Isa isa : SupportedIsas()) {
    const MachinePeak peak = MeasurePeak(isa, 1);
    // One chain waits 8 to 10 cycles for its two operations, where two units of 16 lanes do 64 a
    // cycle: about 300; an unoptimised test or a busy machine slows the chain further.
    EXPECT_GT(peak.gflops, 2 * naive) << IsaName(isa);
    EXPECT_LT(peak.gflops, 5000 * naive) << IsaName(isa);
  }
}

TEST(MeasurePeak, ReadsAboutAsFastAsASum) {
  const std::vector<float> values(size_t{8} << 20, 1.0F);
  volatile float sum = 0;
  const double seconds = Seconds([&] {
    float s = 0;
    for (const float x : values) s += x;
    sum = s;
  });
  const double naive = 4e-9 * static_cast<double>(values.size()) / seconds;
  const MachinePeak peak = MeasurePeak(Isa::kScalar, 1);
  EXPECT_GT(peak.gigabytes_per_second, 0.5 * naive);
  EXPECT_LT(peak.gigabytes_per_second, 1000 * naive);
}

TEST(MeasurePeak, IsMeasuredOnceAndSaidInTheLog) {
  const LogCapture log;
  const MachinePeak first = MeasurePeak(Isa::kScalar, 2);
  ASSERT_EQ(log.lines().size(), 1U);
  EXPECT_TRUE(log.Contains("peak of this machine, " + first.ToString()));
  const MachinePeak again = MeasurePeak(Isa::kScalar, 2);
  EXPECT_EQ(log.lines().size(), 1U);
  EXPECT_EQ(again.gflops, first.gflops);
  EXPECT_EQ(again.gigabytes_per_second, first.gigabytes_per_second);
  EXPECT_EQ(first.threads, 2);
  EXPECT_GT(first.gflops, 0);
  EXPECT_GT(first.gigabytes_per_second, 0);
}

TEST(MachinePeak, IsSaidWithItsUnits) {
  EXPECT_EQ((MachinePeak{Isa::kAvx512, 1, 95.06, 11.24}.ToString()),
            "avx512, 1 thread: 95.1 GFLOP/s, 11.2 GB/s");
  EXPECT_EQ((MachinePeak{Isa::kScalar, 8, 1, 2}.ToString()),
            "scalar, 8 threads: 1.0 GFLOP/s, 2.0 GB/s");
}

}  // namespace
}  // namespace sparsify
