#include "schedulers/rigl_scheduler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "sparsity/mask/block_mask_generator.h"
#include "sparsity/mask/nm_mask_generator.h"
#include "sparsity/mask/random_mask_generator.h"
#include "tests/schedulers/toy_training.h"

namespace sparsify {
namespace {

using testing::ExpectContinues;
using testing::ExpectFinal;
using ::testing::HasSubstr;
using testing::MagnitudeContext;
using testing::NoiseTensor;
using testing::PercentOf;
using testing::ToyTraining;
using testing::UsageMessage;

// The places kept after dropping and growing, by sorting.
std::set<int64_t> Updated(const std::set<int64_t>& active, const Tensor& latent,
                          const Tensor& gradient, int64_t count) {
  std::vector<int64_t> order(active.begin(), active.end());
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return std::abs(latent[a]) < std::abs(latent[b]); });
  std::set<int64_t> kept(order.begin() + count, order.end());
  std::vector<int64_t> rest;
  for (int64_t i = 0; i < latent.size(); ++i) {
    if (!kept.contains(i)) rest.push_back(i);
  }
  std::stable_sort(rest.begin(), rest.end(), [&](int64_t a, int64_t b) {
    return std::abs(gradient[a]) > std::abs(gradient[b]);
  });
  kept.insert(rest.begin(), rest.begin() + count);
  return kept;
}

std::set<int64_t> Kept(const Mask& mask) {
  std::set<int64_t> kept;
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (mask[i]) kept.insert(i);
  }
  return kept;
}

TEST(RigLScheduler, DropsAndGrowsAsBruteForceDoes) {
  constexpr int64_t kSteps = 40;
  const auto rule =
      RigLScheduler({.alpha = 0.4, .delta_t = 5, .end = 0.75}).MakeRule(MagnitudeContext());
  EXPECT_TRUE(rule->HoldsPruned());
  std::vector<TrainedWeight> weights = ToyTraining({0.8}).weights;
  TrainedWeight& weight = weights[0];
  rule->Begin(weights, kSteps);
  int64_t moved = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    const bool expect_update = step == 5 || step == 10 || step == 15 || step == 20 || step == 25;
    const Prepared prepared = rule->Prepare({step, kSteps, 0.1}, weights);
    EXPECT_EQ(prepared.masks,
              step == 0 || step == 6 || step == 11 || step == 16 || step == 21 || step == 26);
    EXPECT_FALSE(prepared.reset_momentum);
    ASSERT_EQ(weight.mask().CountPruned(), PercentOf(weight.latent.size(), 80)) << step;
    const std::set<int64_t> before = Kept(weight.mask());
    const Tensor latent = weight.latent;
    const Tensor dense = NoiseTensor(latent.shape(), 5, static_cast<uint64_t>(step));
    Tensor gradient = dense;
    Tensor* pointer = &gradient;
    ASSERT_EQ(rule->Backward({step, kSteps, 0.1}, weights, {&pointer, 1}), !expect_update) << step;
    const std::set<int64_t> after = Kept(weight.mask());
    if (!expect_update) {
      EXPECT_EQ(after, before);
      for (int64_t i = 0; i < latent.size(); ++i) {
        EXPECT_EQ(gradient[i], before.contains(i) ? dense[i] : 0.0F);
        if (before.contains(i)) weight.latent[i] -= 0.1F * gradient[i];
      }
      continue;
    }
    const double share = 0.2 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / 30));
    const auto count = static_cast<int64_t>(share * static_cast<double>(before.size()));
    EXPECT_EQ(after, Updated(before, latent, dense, count)) << step;
    for (int64_t i = 0; i < latent.size(); ++i) {
      const bool stays = before.contains(i) && after.contains(i);
      EXPECT_EQ(weight.latent[i], stays ? latent[i] : 0.0F);
      moved += after.contains(i) && !before.contains(i);
    }
  }
  EXPECT_GT(moved, 10);
}

TEST(RigLScheduler, TakesTheLowerOfEqualsFirst) {
  const auto rule =
      RigLScheduler({.alpha = 1, .delta_t = 2, .end = 1}).MakeRule(MagnitudeContext());
  std::vector<TrainedWeight> weights;
  weights.emplace_back("w", Tensor({2, 4}, {1, 1, 1, 1, 2, 2, 2, 2}), 0.5, MaskContext{});
  rule->Begin(weights, 4);
  rule->Prepare({0, 4, 0.1}, weights);
  Tensor gradient({2, 4}, {0, 3, -3, 3, 0, 0, 0, 0});
  Tensor* pointer = &gradient;
  EXPECT_FALSE(rule->Backward({2, 4, 0.1}, weights, {&pointer, 1}));
  // Half of the four go, the lower two; of the three of largest gradient the lower two come.
  EXPECT_EQ(Kept(weights[0].mask()), (std::set<int64_t>{1, 2, 6, 7}));
}

TEST(RigLScheduler, KeepsTheSparsityAtAllTimesAndMovesToTheLoss) {
  RuleContext context = MagnitudeContext();
  context.generator = std::make_shared<RandomMaskGenerator>();
  const auto run = [&](double alpha) {
    ToyTraining training({0.8, 0.5, 0});
    training.noise = 0;
    training.rate = 0.1;
    training.momentum = 0;
    const auto rule = RigLScheduler({.alpha = alpha, .delta_t = 4}).MakeRule(context);
    rule->Begin(training.weights, 200);
    training.Run(*rule, 0, 200, 200, [&](const StepInfo&, const Prepared&) {
      EXPECT_EQ(training.weights[0].mask().CountPruned(), PercentOf(288, 80));
      EXPECT_EQ(training.weights[1].mask().CountPruned(), PercentOf(120, 50));
      EXPECT_EQ(training.weights[2].mask().CountPruned(), 0);
    });
    rule->Finish(training.weights);
    ExpectFinal(training.weights, {80, 50, 0});
    double loss = 0;
    for (int64_t j = 0; j < 288; ++j) {
      const double d = training.weights[0].effective[j] - training.optimum[0][j];
      loss += d * d / 2;
    }
    return loss;
  };
  // From the same random masks: those that move find most of the 58 largest of 288 normal values.
  EXPECT_LT(run(0.3), 0.7 * run(0));
}

TEST(RigLScheduler, SaysThatNothingMoves) {
  LogCapture log;
  const auto rule = RigLScheduler({.delta_t = 15, .end = 0.75}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5});
  rule->Begin(training.weights, 20);
  EXPECT_TRUE(
      log.Contains("RigLScheduler: no weight changes its place: delta_t is 15 and end is "
                   "step 15 of 20"));
  rule->Begin(training.weights, 40);
  EXPECT_EQ(log.lines().size(), 1U);
}

TEST(RigLScheduler, Continues) {
  ExpectContinues(RigLScheduler({.alpha = 0.5, .delta_t = 3, .end = 0.8}), MagnitudeContext());
}

TEST(RigLScheduler, NamesTheGradientThatItCannotRank) {
  const auto rule = RigLScheduler({.delta_t = 2, .end = 1}).MakeRule(MagnitudeContext());
  std::vector<TrainedWeight> weights = ToyTraining({0.5}, {{2, 2}}).weights;
  rule->Begin(weights, 4);
  rule->Prepare({0, 4, 0.1}, weights);
  Tensor gradient({2, 2}, {0, std::nanf(""), 0, 0});
  Tensor* pointer = &gradient;
  try {
    rule->Backward({2, 4, 0.1}, weights, {&pointer, 1});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "layer0.weight: the gradient holds nan at flat index 1 in step 2; RigLScheduler "
                 "cannot rank it");
  }
}

TEST(RigLScheduler, RefusesPatternsAndKwargs) {
  const RigLScheduler scheduler(RigLOptions{});
  const auto refusal = [&](std::shared_ptr<const MaskGenerator> generator) {
    return UsageMessage([&] { scheduler.MakeRule({std::move(generator), false, 0}); });
  };
  EXPECT_EQ(refusal(std::make_shared<BlockMaskGenerator>(BlockMaskOptions{})),
            "scheduler.type: RigLScheduler grows single weights where the gradient is largest, "
            "which breaks the pattern of BlockMaskGenerator; take mask_generator.type "
            "NormalMaskGenerator, not structured, or RandomMaskGenerator");
  EXPECT_THAT(refusal(std::make_shared<NMMaskGenerator>(NMMaskOptions{})),
              HasSubstr("pattern of NMMaskGenerator"));
  EXPECT_THAT(refusal(std::make_shared<NormalMaskGenerator>(NormalMaskOptions{.structured = true})),
              HasSubstr("pattern of NormalMaskGenerator"));
  const auto make = [](const RigLOptions& options) {
    return UsageMessage([&] { RigLScheduler made(options); });
  };
  EXPECT_EQ(make({.alpha = 1.1}), "scheduler.kwargs.alpha: 1.1 is out of range, expected 0 … 1");
  EXPECT_EQ(make({.delta_t = 1}), "scheduler.kwargs.delta_t: 1 is out of range, expected ≥ 2");
  EXPECT_EQ(make({.end = -1}), "scheduler.kwargs.end: -1 is out of range, expected 0 … 1");
}

}  // namespace
}  // namespace sparsify
