#include "schedulers/masked_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "tests/schedulers/toy_training.h"

namespace sparsify {
namespace {

using testing::ExpectFinal;
using testing::MagnitudeContext;
using testing::NoiseTensor;
using testing::ToyTraining;

constexpr int64_t kSteps = 60;

MaskedRule Rule(bool mask_is_static) { return {"BaseScheduler", MagnitudeContext(mask_is_static)}; }

// The `count` places of least |w|, found by sorting.
std::vector<bool> Smallest(const Tensor& weight, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(weight.size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return std::abs(weight[a]) < std::abs(weight[b]); });
  std::vector<bool> smallest(order.size(), false);
  for (int64_t i = 0; i < count; ++i) {
    smallest[static_cast<size_t>(order[static_cast<size_t>(i)])] = true;
  }
  return smallest;
}

void ExpectMaskOf(const TrainedWeight& weight, const Tensor& from, int64_t percent) {
  const auto pruned = Smallest(from, testing::PercentOf(from.size(), percent));
  for (int64_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(weight.mask()[i], !pruned[static_cast<size_t>(i)]) << weight.name() << " " << i;
  }
}

TEST(MaskedRule, SaysWhatItIs) {
  EXPECT_EQ(Rule(true).type(), "BaseScheduler");
  EXPECT_TRUE(Rule(true).HoldsPruned());
  EXPECT_FALSE(Rule(false).HoldsPruned());
  EXPECT_TRUE(Rule(false).State().empty());
}

TEST(MaskedRule, AStaticMaskIsOfTheFirstWeightsAndHoldsThem) {
  ToyTraining toy({0.7, 0.4, 0});
  std::vector<Tensor> first;
  for (const TrainedWeight& weight : toy.weights) first.push_back(weight.latent);
  MaskedRule rule = Rule(true);
  rule.Begin(toy.weights, kSteps);
  toy.Run(rule, 0, kSteps, kSteps, [&](const StepInfo& info, const Prepared& prepared) {
    EXPECT_EQ(prepared.masks, info.step == 0);
    EXPECT_FALSE(prepared.reset_momentum);
    ExpectMaskOf(toy.weights[0], first[0], 70);
    ExpectMaskOf(toy.weights[1], first[1], 40);
    ExpectFinal(toy.weights, {70, 40, 0});  // Ŵ of every step is W ⊙ M
  });
  rule.Finish(toy.weights);
  ExpectFinal(toy.weights, {70, 40, 0});
  for (size_t k = 0; k < first.size(); ++k) {
    const TrainedWeight& weight = toy.weights[k];
    for (int64_t i = 0; i < weight.latent.size(); ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(weight.latent[i]) == std::bit_cast<uint32_t>(first[k][i]),
                !weight.mask()[i]);
    }
  }
}

TEST(MaskedRule, OtherMasksAreOfTheWeightsOfEveryStep) {
  ToyTraining toy({0.7, 0.4});
  MaskedRule rule = Rule(false);
  rule.Begin(toy.weights, kSteps);
  Mask first;
  Mask before;
  int64_t back = 0;
  toy.Run(rule, 0, kSteps, kSteps, [&](const StepInfo& info, const Prepared& prepared) {
    EXPECT_TRUE(prepared.masks);
    ExpectMaskOf(toy.weights[0], toy.weights[0].latent, 70);
    ExpectMaskOf(toy.weights[1], toy.weights[1].latent, 40);
    const Mask& now = toy.weights[0].mask();
    if (info.step == 0) first = now;
    for (int64_t i = 0; info.step > 0 && i < now.size(); ++i) back += now[i] && !before[i];
    before = now;
  });
  EXPECT_GT(back, 0);
  EXPECT_NE(first, before);
  // Of the weights after the last step, which no Prepare has seen.
  toy.weights[0].latent = NoiseTensor({8, 4, 3, 3}, 99, 0);
  rule.Finish(toy.weights);
  ExpectMaskOf(toy.weights[0], toy.weights[0].latent, 70);
  ExpectFinal(toy.weights, {70, 40});
}

TEST(MaskedRule, OnlyKeptWeightsSeeTheLoss) {
  for (const bool mask_is_static : {true, false}) {
    ToyTraining toy({0.7, 0.4});
    MaskedRule rule = Rule(mask_is_static);
    rule.Begin(toy.weights, 1);
    const StepInfo info{0, 1, 0.1};
    rule.Prepare(info, toy.weights);
    std::vector<Tensor> gradients = toy.Gradients(0);
    const std::vector<Tensor> whole = gradients;
    std::vector<Tensor*> pointers = {&gradients[0], &gradients[1]};
    EXPECT_TRUE(rule.Backward(info, toy.weights, pointers));
    for (size_t k = 0; k < 2; ++k) {
      for (int64_t i = 0; i < whole[k].size(); ++i) {
        EXPECT_EQ(gradients[k][i], toy.weights[k].mask()[i] ? whole[k][i] : 0.0F);
      }
    }
  }
}

TEST(MaskedRule, KeptWeightsThatEndAtZeroArePrunedInTheEnd) {
  ToyTraining toy({0.25}, {{2, 4}});
  MaskedRule rule = Rule(true);
  rule.Begin(toy.weights, 1);
  rule.Prepare({0, 1, 0.1}, toy.weights);
  TrainedWeight& weight = toy.weights[0];
  int64_t kept = 0;
  while (!weight.mask()[kept]) ++kept;
  weight.latent[kept] = 0;
  const LogCapture log;
  rule.Finish(toy.weights);
  EXPECT_EQ(weight.mask().CountPruned(), 3);
  EXPECT_EQ(CountZeros(weight.effective), 3);
  EXPECT_TRUE(log.Contains(
      "BaseScheduler: layer0.weight: 1 kept weights have ended at 0 and count as pruned"));
}

TEST(MaskedRule, WeightsThatAreZeroCountAsPruned) {
  for (const bool mask_is_static : {true, false}) {
    ToyTraining toy({0.25}, {{2, 4}});
    for (const int64_t i : {1, 2, 5}) toy.weights[0].latent[i] = 0;
    toy.weights[0].latent[5] = -0.0F;
    MaskedRule rule = Rule(mask_is_static);
    rule.Begin(toy.weights, 1);
    rule.Prepare({0, 1, 0.1}, toy.weights);
    EXPECT_EQ(toy.weights[0].mask().CountPruned(), 3);
    rule.Finish(toy.weights);
    EXPECT_EQ(toy.weights[0].mask().CountPruned(), 3);
    EXPECT_EQ(CountZeros(toy.weights[0].effective), 3);
    EXPECT_EQ(std::bit_cast<uint32_t>(toy.weights[0].effective[5]), 0U);
  }
}

TEST(MaskedRule, GradientsMustBeAsManyAsWeights) {
  ToyTraining toy({0.7, 0.4});
  Tensor gradient = NoiseTensor({8, 4, 3, 3}, 1, 1);
  std::vector<Tensor*> one = {&gradient};
  std::string message = "no error";
  try {
    MaskGradients(toy.weights, one);
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_EQ(message, "training: 1 gradients for 2 pruned weights");
}

class Continuing : public Scheduler {
 public:
  std::string_view type() const override { return "BaseScheduler"; }
  std::vector<Stage> Stages(int64_t /*total*/,
                            const std::vector<double>& /*levels*/) const override {
    return {};
  }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override {
    return std::make_unique<MaskedRule>(type(), context);
  }
};

TEST(MaskedRule, ContinuesBitByBit) {
  testing::ExpectContinues(Continuing(), MagnitudeContext(true));
  testing::ExpectContinues(Continuing(), MagnitudeContext(false));
}

}  // namespace
}  // namespace sparsify
