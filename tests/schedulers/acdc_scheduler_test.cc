#include "schedulers/acdc_scheduler.h"

#include <gmock/gmock.h>

#include "sparsity/mask/nm_mask_generator.h"
#include "tests/schedulers/toy_training.h"

namespace sparsify {
namespace {

using testing::ExpectContinues;
using testing::ExpectFinal;
using testing::MagnitudeContext;
using testing::PercentOf;
using testing::ToyTraining;
using testing::UsageMessage;

std::string Table(const ACDCOptions& options, int64_t steps) {
  const ACDCPhases phases(options, steps);
  std::string table;
  for (int64_t step = 0; step < steps; ++step) table += phases.Compressed(step) ? 'c' : 'd';
  return table;
}

// The published 100 epochs: dense to 10; from there five each, compressed first, to 75; dense to
// 85; compressed.
TEST(ACDCScheduler, HasThePhasesOfThePaper) {
  EXPECT_EQ(Table({}, 100),
            "dddddddddd"
            "cccccdddddcccccdddddcccccdddddcccccdddddcccccdddddcccccdddddccccc"
            "dddddddddd"
            "ccccccccccccccc");
  EXPECT_EQ(Table({.warm_up = 0, .phase = 0.2, .last_decompressed = 0, .last_compressed = 0.1}, 10),
            "ccddccddcc");
  EXPECT_EQ(Table({}, 1), "c");
  EXPECT_EQ(Table({}, 3).back(), 'c');
  EXPECT_EQ(Table({.last_compressed = 0.001}, 20).back(), 'c');
}

TEST(ACDCScheduler, MasksAndForgetsAtTheTurns) {
  const ACDCScheduler scheduler(
      {.warm_up = 0.1, .phase = 0.1, .last_decompressed = 0.2, .last_compressed = 0.2});
  const std::string table =
      "ddccddccddccdd"
      "ddcccc";
  const auto rule = scheduler.MakeRule(MagnitudeContext(false));
  EXPECT_TRUE(rule->HoldsPruned());
  ToyTraining training({0.9, 0.5});
  rule->Begin(training.weights, 20);
  training.rate = 0.3;
  Mask first;
  int64_t changed = 0;
  training.Run(*rule, 0, 20, 20, [&](const StepInfo& info, const Prepared& prepared) {
    const auto step = static_cast<size_t>(info.step);
    const char before = step == 0 ? 'd' : table[step - 1];
    EXPECT_EQ(prepared.masks, before != table[step]) << step;
    EXPECT_EQ(prepared.reset_momentum, before == 'c' && table[step] == 'd') << step;
    const TrainedWeight& weight = training.weights[0];
    const int64_t pruned = PercentOf(weight.latent.size(), 90);
    EXPECT_EQ(weight.mask().CountPruned(), table[step] == 'c' ? pruned : 0) << step;
    // Pruned weights are at 0 through the phase and enter the next one there.
    const bool at_zero = table[step] == 'c' || before == 'c';
    EXPECT_EQ(CountZeros(weight.latent), at_zero ? pruned : 0) << step;
    if (step == 2) first = weight.mask();
    if (step == 6) changed = !(first == weight.mask());
  });
  EXPECT_EQ(changed, 1) << "the second compressed phase has masks of its own";
  rule->Finish(training.weights);
  ExpectFinal(training.weights, {90, 50});
}

TEST(ACDCScheduler, WorksWithPatterns) {
  RuleContext context = MagnitudeContext();
  context.generator = std::make_shared<NMMaskGenerator>(NMMaskOptions{1, 4});
  const auto rule = ACDCScheduler({.phase = 0.1}).MakeRule(context);
  ToyTraining training({0.75, 0.75});
  rule->Begin(training.weights, 20);
  training.Run(*rule, 0, 20, 20);
  rule->Finish(training.weights);
  ExpectFinal(training.weights, {75, 75});
}

TEST(ACDCScheduler, SaysThatAPhaseIsLessThanAStep) {
  LogCapture log;
  const auto rule = ACDCScheduler({.phase = 0.05}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5});
  rule->Begin(training.weights, 10);
  EXPECT_TRUE(log.Contains(
      "ACDCScheduler: a phase of 0.05 of 10 steps is none; phases of one step are taken"));
  rule->Begin(training.weights, 20);
  EXPECT_EQ(log.lines().size(), 1U);
}

TEST(ACDCScheduler, Continues) {
  ExpectContinues(ACDCScheduler({.phase = 0.1, .last_compressed = 0.2}), MagnitudeContext());
}

TEST(ACDCScheduler, RefusesWhatMakesNoPhases) {
  const auto make = [](const ACDCOptions& options) {
    return UsageMessage([&] { ACDCScheduler scheduler(options); });
  };
  EXPECT_EQ(make({.warm_up = 1}),
            "scheduler.kwargs.warm_up: 1 is out of range, expected 0 … below 1");
  EXPECT_EQ(make({.phase = 0}), "scheduler.kwargs.phase: 0 is out of range, expected above 0 … 1");
  EXPECT_EQ(make({.last_decompressed = -1}),
            "scheduler.kwargs.last_decompressed: -1 is out of range, expected 0 … below 1");
  EXPECT_EQ(make({.last_compressed = 0}),
            "scheduler.kwargs.last_compressed: 0 is out of range, expected above 0 … 1");
  EXPECT_EQ(make({.warm_up = 0.5, .last_decompressed = 0.3, .last_compressed = 0.25}),
            "scheduler.kwargs.last_decompressed: is 0.3, but warm_up 0.5 and last_compressed 0.25 "
            "leave 0.25 of the run; lower one of them");
  EXPECT_EQ(make({.warm_up = 0.5, .last_decompressed = 0.1, .last_compressed = 0.4}), "no error");
}

}  // namespace
}  // namespace sparsify
