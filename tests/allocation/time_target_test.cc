#include "sparsity/allocation/time_target.h"

#include <cmath>

#include "sparsity/base/log.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using testing::MessageOf;

/// Four layers of 10 ms each that lose 8 ms at 0.8, and losses that grow with the square.
TimeModel FourLayers() {
  LayerTimes times;
  std::vector<SensitivityCurve> curves;
  for (const double level : {0.0, 0.2, 0.4, 0.6, 0.8}) {
    NetworkTimes& network = times.levels.emplace_back();
    network.level = level;
    for (int i = 0; i < 4; ++i) {
      network.layers.push_back({fmt::format("l{}", i), 1, 1, level, 10 * (1 - level), ""});
    }
  }
  for (int i = 0; i < 4; ++i) {
    SensitivityCurve curve{fmt::format("l{}", i), 1, 1, {}, {}};
    for (int p = 1; p < 10; ++p) {
      curve.sparsity.push_back(p / 10.0);
      curve.loss.push_back((i + 1) * p * p / 100.0);
    }
    curves.push_back(std::move(curve));
  }
  return TimeModel(curves, times, 1);
}

/// A machine on which the four layers save `share` of what the table says, at `speed` of its pace.
std::function<MeasuredTimes(const std::vector<double>&)> Machine(double share, double speed = 1) {
  return [=](const std::vector<double>& sparsity) {
    double saved = 0;
    for (const double s : sparsity) saved += 10 * s * share;
    return MeasuredTimes{40 / speed, (40 - saved) / speed};
  };
}

constexpr TimeTarget kTwice{TimeTarget::Kind::kSpeedup, 2};

TEST(MeetTarget, IsDoneInOneRoundWhereTheTableIsRight) {
  const LogCapture log;
  double correction = 1;
  const TargetSolution found = MeetTarget(FourLayers(), kTwice, {}, Machine(1), correction);
  EXPECT_EQ(found.rounds, 1);
  EXPECT_NEAR(found.predicted_speedup, 2, 0.01);
  EXPECT_NEAR(found.MeasuredSpeedup(), 2, 0.01);
  EXPECT_NEAR(correction, 1, 1e-6);
  EXPECT_TRUE(log.Contains("speed-up 2, round 1: predicted 20 ms, speed-up 2.00"));
}

TEST(MeetTarget, CorrectsATableThatPromisesTooMuch) {
  const LogCapture log;
  double correction = 1;
  const TargetSolution found =
      MeetTarget(FourLayers(), kTwice, {0.01, 5}, Machine(0.8), correction);
  EXPECT_EQ(found.rounds, 2);
  EXPECT_NEAR(found.MeasuredSpeedup(), 2, 0.02);
  EXPECT_NEAR(found.predicted_speedup, 2, 0.02);
  EXPECT_NEAR(found.solution.ms, 15, 0.2);  // 25 of the table's milliseconds are 20 real ones
  EXPECT_NEAR(correction, 0.8, 1e-3);
  EXPECT_TRUE(log.Contains("speed-up 2, round 2: "));
  // The next target starts from what was learned.
  const TimeTarget third{TimeTarget::Kind::kSpeedup, 1.5};
  EXPECT_EQ(MeetTarget(FourLayers(), third, {0.01, 5}, Machine(0.8), correction).rounds, 1);
}

TEST(MeetTarget, CorrectsATableThatPromisesTooLittle) {
  double correction = 1;
  const TargetSolution found =
      MeetTarget(FourLayers(), kTwice, {0.01, 5}, Machine(1.25), correction);
  EXPECT_EQ(found.rounds, 2);
  EXPECT_NEAR(found.MeasuredSpeedup(), 2, 0.02);
  EXPECT_LT(found.solution.loss, FourLayers().Solve(20).loss);
}

TEST(MeetTarget, ASpeedUpDoesNotDependOnTheMachinesPace) {
  double correction = 1;
  const TargetSolution found = MeetTarget(FourLayers(), kTwice, {}, Machine(1, 0.5), correction);
  EXPECT_EQ(found.rounds, 1);
  EXPECT_NEAR(found.measured.ms, 40, 0.4);
  EXPECT_NEAR(found.predicted_ms, 40, 0.4);
}

TEST(MeetTarget, ALatencyDoes) {
  double correction = 1;
  const TimeTarget target{TimeTarget::Kind::kLatency, 40};
  const TargetSolution found =
      MeetTarget(FourLayers(), target, {0.01, 5}, Machine(1, 0.5), correction);
  EXPECT_EQ(found.rounds, 1);  // the dense network has told the pace
  EXPECT_NEAR(found.measured.ms, 40, 0.4);
  EXPECT_NEAR(found.predicted_ms, 40, 0.4);
}

TEST(MeetTarget, AimsBetweenTooSlowAndTooFast) {
  // A machine that saves nothing before the table's 10 ms and a lot then: ratios alone swing.
  const auto machine = [](const std::vector<double>& sparsity) {
    double saved = 0;
    for (const double s : sparsity) saved += 10 * s;
    return MeasuredTimes{40, 40 - (saved < 10 ? 0.2 * saved : 2 + 1.4 * (saved - 10))};
  };
  const TimeTarget target{TimeTarget::Kind::kSpeedup, 1.25};  // 8 ms saved: 14.3 of the table
  double correction = 1;
  const TargetSolution found = MeetTarget(FourLayers(), target, {0.01, 8}, machine, correction);
  EXPECT_NEAR(found.MeasuredSpeedup(), 1.25, 0.0126);
  EXPECT_NEAR(40 - found.solution.ms, 10 + 6 / 1.4, 0.5);
}

TEST(MeetTarget, KeepsTheNearestRoundAndWarnsOfAMiss) {
  const LogCapture log;
  int calls = 0;
  const auto noisy = [&](const std::vector<double>& /*sparsity*/) {
    return MeasuredTimes{40, ++calls == 2 ? 22.0 : 24.0};
  };
  double correction = 1;
  const TargetSolution found = MeetTarget(FourLayers(), kTwice, {0.01, 3}, noisy, correction);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(found.rounds, 2);
  EXPECT_DOUBLE_EQ(found.measured.ms, 22);
  EXPECT_TRUE(
      log.Contains("warning: speed-up 2: the time measured, 22 ms, speed-up 1.818, is 10.0 % "
                   "too long; it was to be within 1 % (allocation.time_tolerance) after 3 "
                   "rounds (allocation.time_rounds)"));
}

TEST(MeetTarget, UnreachableNamesTheGreatest) {
  const LogCapture log;
  double correction = 1;
  const TimeTarget target{TimeTarget::Kind::kSpeedup, 9};
  EXPECT_EQ(MessageOf([&] { MeetTarget(FourLayers(), target, {}, Machine(1), correction); }),
            "allocation: speed-up 9 cannot be reached: the best measured is 8 ms, speed-up 5.000 "
            "(dense 40 ms), with every layer at its fastest; ask for less, raise "
            "max_layer_sparsity or time_levels, or let more layers be pruned");
  // The table says 5, the machine gives 2.5.
  correction = 1;
  const TimeTarget near{TimeTarget::Kind::kSpeedup, 4};
  EXPECT_THAT(
      MessageOf([&] { MeetTarget(FourLayers(), near, {}, Machine(0.75), correction); }),
      HasSubstr("speed-up 4 cannot be reached: the best measured is 16 ms, speed-up 2.500"));
  // Faster than the table says: reached.
  correction = 1;
  const TimeTarget beyond{TimeTarget::Kind::kSpeedup, 5.5};
  EXPECT_NEAR(
      MeetTarget(FourLayers(), beyond, {0.05, 5}, Machine(1.02), correction).MeasuredSpeedup(),
      5.43, 0.01);
}

TEST(MeetTarget, LayersThatAreNeverFasterAreNamedAsTheReason) {
  LayerTimes times;
  times.levels = {{0, 0, {{"l", 1, 1, 0, 10, ""}}}, {0.5, 0, {{"l", 1, 1, 0.5, 12, ""}}}};
  const TimeModel model({{"l", 1, 1, {0.5, 0.6}, {0.1, 0.2}}}, times, 1);
  double correction = 1;
  EXPECT_EQ(MessageOf([&] { MeetTarget(model, kTwice, {}, Machine(1), correction); }),
            "allocation: speed-up 2 cannot be reached: at most speed-up 1, no layer was faster at "
            "any sparsity that was timed; time_levels may be too low, or the network too small");
}

TEST(MeetTarget, WhatTheDenseNetworkMeetsIsRefused) {
  const LogCapture log;
  double correction = 2;  // forgotten first: dense times are what they are
  const TimeTarget target{TimeTarget::Kind::kLatency, 50};
  EXPECT_EQ(MessageOf([&] { MeetTarget(FourLayers(), target, {}, Machine(1), correction); }),
            "allocation: 50 ms needs nothing pruned: the dense network takes 40 ms; ask for a "
            "faster one");
}

}  // namespace
}  // namespace sparsify
