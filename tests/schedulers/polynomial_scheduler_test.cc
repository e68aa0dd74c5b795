#include "schedulers/polynomial_scheduler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "sparsity/mask/block_mask_generator.h"
#include "sparsity/mask/nm_mask_generator.h"
#include "tests/schedulers/toy_training.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::ExpectContinues;
using testing::ExpectFinal;
using testing::MagnitudeContext;
using testing::ToyTraining;
using testing::UsageMessage;

TEST(PolynomialScheduler, FollowsTheRampOfThePaper) {
  const PolynomialScheduler scheduler(
      {.initial_sparsity = 0.1, .begin = 0.25, .end = 0.75, .frequency = 7, .power = 3});
  EXPECT_FALSE(scheduler.Continues());
  const auto rule = scheduler.MakeRule(MagnitudeContext());
  ToyTraining training({0.9, 0.5, 0.05});
  rule->Begin(training.weights, 40);
  std::vector<int64_t> made;
  int64_t last_made = -1;
  training.Run(*rule, 0, 40, 40, [&](const StepInfo& info, const Prepared& prepared) {
    if (prepared.masks) made.push_back(last_made = info.step);
    for (const TrainedWeight& weight : training.weights) {
      double expected = 0;
      if (last_made >= 0) {
        const double left = 1 - static_cast<double>(last_made - 10) / 20;
        const double initial = std::min(0.1, weight.sparsity());
        expected = weight.sparsity() + (initial - weight.sparsity()) * left * left * left;
      }
      const auto count = static_cast<double>(weight.latent.size());
      EXPECT_EQ(static_cast<double>(weight.mask().CountPruned()),
                count - std::floor((1 - expected) * count + 1e-9))
          << info.step;
      EXPECT_EQ(CountZeros(weight.effective), weight.mask().CountPruned());
    }
  });
  EXPECT_THAT(made, ElementsAre(10, 17, 24, 30));
  rule->Finish(training.weights);
  ExpectFinal(training.weights, {90, 50, 5});
}

TEST(PolynomialScheduler, RampsWithAnyPower) {
  EXPECT_DOUBLE_EQ(PolynomialRamp(0.2, 0.8, 1, 0.25), 0.35);
  EXPECT_DOUBLE_EQ(PolynomialRamp(0, 0.8, 2, 0.5), 0.6);
  EXPECT_DOUBLE_EQ(PolynomialRamp(0.3, 0.8, 3, 0), 0.3);
  EXPECT_DOUBLE_EQ(PolynomialRamp(0.3, 0.8, 3, 1), 0.8);
}

TEST(PolynomialScheduler, ARampUpToTheEndReachesTheTarget) {
  for (const bool is_static : {false, true}) {
    LogCapture quiet;
    const PolynomialScheduler scheduler({.end = 1, .frequency = 100});
    const auto rule = scheduler.MakeRule(MagnitudeContext(is_static));
    EXPECT_EQ(rule->HoldsPruned(), is_static);
    ToyTraining training({0.9, 0.5});
    rule->Begin(training.weights, 10);
    training.Run(*rule, 0, 10, 10);
    rule->Finish(training.weights);
    ExpectFinal(training.weights, {90, 50});
  }
}

TEST(PolynomialScheduler, AWeightComesBackUntilTheRampEnds) {
  const PolynomialScheduler scheduler({.initial_sparsity = 0.5, .end = 0.5, .frequency = 1});
  const auto rule = scheduler.MakeRule(MagnitudeContext());
  std::vector<TrainedWeight> weights;
  weights.emplace_back("w", Tensor({2, 2}, {1, 2, 3, 4}), 0.5, MaskContext{});
  rule->Begin(weights, 4);
  const auto kept = [&](int64_t step) {
    rule->Prepare({step, 4, 0.1}, weights);
    const auto values = weights[0].keep().values();
    return std::vector<float>(values.begin(), values.end());
  };
  EXPECT_THAT(kept(0), ElementsAre(0, 0, 1, 1));
  Tensor gradient({2, 2}, {5, 6, 7, 8});
  Tensor* pointer = &gradient;
  EXPECT_TRUE(rule->Backward({0, 4, 0.1}, weights, {&pointer, 1}));
  EXPECT_THAT(gradient.values(), ElementsAre(0, 0, 7, 8));
  weights[0].latent[2] = 0.5F;
  EXPECT_THAT(kept(1), ElementsAre(0, 1, 0, 1));
  weights[0].latent[3] = 0.25F;
  EXPECT_THAT(kept(2), ElementsAre(1, 1, 0, 0));  // the ramp's end
  weights[0].latent[0] = 0.1F;
  EXPECT_THAT(kept(3), ElementsAre(1, 1, 0, 0));
}

TEST(PolynomialScheduler, SaysThatThereIsNoRamp) {
  LogCapture log;
  const auto rule = PolynomialScheduler({.end = 0.5, .frequency = 10}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5});
  rule->Begin(training.weights, 20);
  EXPECT_TRUE(
      log.Contains("PolynomialScheduler: no step of the ramp between its begin, step 0, and "
                   "its end, step 10: frequency is 10"));
  rule->Begin(training.weights, 40);
  EXPECT_EQ(log.lines().size(), 1U);
}

TEST(PolynomialScheduler, WorksWithPatterns) {
  LogCapture log;
  RuleContext context = MagnitudeContext();
  context.generator = std::make_shared<NMMaskGenerator>(NMMaskOptions{2, 4});
  const PolynomialScheduler scheduler({.end = 0.5, .frequency = 2});
  ToyTraining training({0.5, 0.5});
  const auto rule = scheduler.MakeRule(context);
  rule->Begin(training.weights, 10);
  training.Run(*rule, 0, 10, 10);
  rule->Finish(training.weights);
  ExpectFinal(training.weights, {50, 50});
  EXPECT_TRUE(
      log.Contains("NMMaskGenerator gives its pattern in full at step 0: there is no ramp"));
  context.generator = std::make_shared<BlockMaskGenerator>(BlockMaskOptions{{1, 4}});
  ToyTraining blocks({0.75, 0.75});
  const auto block_rule = scheduler.MakeRule(context);
  block_rule->Begin(blocks.weights, 10);
  blocks.Run(*block_rule, 0, 10, 10);
  block_rule->Finish(blocks.weights);
  for (int64_t i = 0; i < 120; ++i) {
    EXPECT_EQ(blocks.weights[1].mask()[i], blocks.weights[1].mask()[i / 4 * 4]) << i;
  }
  EXPECT_EQ(blocks.weights[1].mask().CountPruned(), 92);  // 23 of 30 blocks
}

TEST(PolynomialScheduler, Continues) {
  for (const bool is_static : {false, true}) {
    ExpectContinues(PolynomialScheduler({.begin = 0.1, .end = 0.8, .frequency = 3}),
                    MagnitudeContext(is_static));
    ExpectContinues(PolynomialScheduler({.end = 1, .frequency = 4}), MagnitudeContext(is_static));
  }
}

TEST(PolynomialScheduler, RefusesWhatMakesNoRamp) {
  const auto make = [](const PolynomialOptions& options) {
    return UsageMessage([&] { PolynomialScheduler scheduler(options); });
  };
  EXPECT_EQ(make({.initial_sparsity = 1}),
            "scheduler.kwargs.initial_sparsity: 1 is out of range, expected 0 … below 1");
  EXPECT_EQ(make({.begin = -0.1}),
            "scheduler.kwargs.begin: -0.1 is out of range, expected 0 … below 1");
  EXPECT_EQ(make({.end = 1.5}), "scheduler.kwargs.end: 1.5 is out of range, expected above 0 … 1");
  EXPECT_EQ(make({.end = std::nan("")}),
            "scheduler.kwargs.end: nan is out of range, expected above 0 … 1");
  EXPECT_EQ(make({.begin = 0.75}),
            "scheduler.kwargs.end: is 0.75; must be above begin, which is 0.75");
  EXPECT_EQ(make({.frequency = 0}), "scheduler.kwargs.frequency: 0 is out of range, expected ≥ 1");
  EXPECT_EQ(make({.power = 0}), "scheduler.kwargs.power: 0 is out of range, expected > 0");
}

}  // namespace
}  // namespace sparsify
