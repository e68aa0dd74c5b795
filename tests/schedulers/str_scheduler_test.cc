#include "schedulers/str_scheduler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "sparsity/base/log.h"
#include "sparsity/mask/block_mask_generator.h"
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

double Sigmoid(double s) { return 1 / (1 + std::exp(-s)); }

// sign(w)·relu(|w| − σ(s)) by cases.
double Shrunk(double w, double s) {
  const double alpha = Sigmoid(s);
  if (w > alpha) return w - alpha;
  if (w < -alpha) return w + alpha;
  return 0;
}

// ½ Σ (Ŵ − a)².
double Loss(const Tensor& w, double s, const Tensor& a) {
  double loss = 0;
  for (int64_t j = 0; j < w.size(); ++j) loss += std::pow(Shrunk(w[j], s) - a[j], 2) / 2;
  return loss;
}

double ThresholdOf(const PruningRule& rule) { return rule.State().at("threshold")[0]; }

TEST(STRScheduler, ShrinksAndHasTheGradientsOfCentralDifferences) {
  const auto rule = STRScheduler({.initial = -0.4, .learning_rate = 2, .decay = 0, .steer = false})
                        .MakeRule(MagnitudeContext());
  EXPECT_FALSE(rule->HoldsPruned());
  ToyTraining training({0.5}, {{6, 20}});
  TrainedWeight& weight = training.weights[0];
  rule->Begin(training.weights, 100);
  rule->Prepare({0, 100, 0.01}, training.weights);
  Tensor gradient(weight.latent.shape());
  for (int64_t j = 0; j < gradient.size(); ++j) {
    EXPECT_NEAR(weight.effective[j], Shrunk(weight.latent[j], -0.4), 1e-6);
    EXPECT_EQ(weight.mask()[j], weight.effective[j] != 0);
    gradient[j] = weight.effective[j] - training.optimum[0][j];
  }
  EXPECT_GT(weight.mask().CountPruned(), 20);
  Tensor* pointer = &gradient;
  EXPECT_TRUE(rule->Backward({0, 100, 0.01}, training.weights, {&pointer, 1}));
  // A step much smaller than the distance of any |w| from the threshold.
  constexpr double kStep = 1e-7;
  const Tensor& a = training.optimum[0];
  const double slope =
      (Loss(weight.latent, -0.4F + kStep, a) - Loss(weight.latent, -0.4F - kStep, a)) / (2 * kStep);
  EXPECT_NEAR((-0.4F - ThresholdOf(*rule)) / 0.02, slope, 1e-4 * std::abs(slope));
  EXPECT_GT(std::abs(slope), 0.1);
  for (int64_t j = 0; j < gradient.size(); ++j) {
    const double w = weight.latent[j];
    const double up = std::pow(Shrunk(w + kStep, -0.4F) - a[j], 2) / 2;
    const double down = std::pow(Shrunk(w - kStep, -0.4F) - a[j], 2) / 2;
    EXPECT_NEAR(gradient[j], (up - down) / (2 * kStep), 1e-5);
  }
}

TEST(STRScheduler, DecayRaisesTheThreshold) {
  const auto rule = STRScheduler({.initial = -10, .learning_rate = 3, .decay = 0.5, .steer = false})
                        .MakeRule(MagnitudeContext());
  ToyTraining training({0.5});
  rule->Begin(training.weights, 100);
  Tensor none(training.weights[0].latent.shape());
  Tensor* pointer = &none;
  double expected = -10;
  for (int64_t step = 0; step < 5; ++step) {
    rule->Prepare({step, 100, 0.1}, training.weights);
    rule->Backward({step, 100, 0.1}, training.weights, {&pointer, 1});
    expected -= 3 * 0.1 * 0.5 * expected;
    EXPECT_NEAR(ThresholdOf(*rule), expected, 1e-5);
  }
}

TEST(STRScheduler, SteeringKeepsTheCountInTheCorridor) {
  for (const double initial : {-10.0, 0.0}) {  // nearly dense, nearly all gone
    LogCapture quiet;
    const auto rule =
        STRScheduler({.initial = initial, .decay = 0, .end = 0.5}).MakeRule(MagnitudeContext());
    ToyTraining training({0.9, 0.3, 0});
    rule->Begin(training.weights, 40);
    training.Run(*rule, 0, 40, 40, [&](const StepInfo& info, const Prepared&) {
      const double left = std::max(0.0, 1 - static_cast<double>(info.step) / 20);
      for (const TrainedWeight& weight : training.weights) {
        const auto count = static_cast<double>(weight.latent.size());
        const auto pruned = static_cast<double>(weight.mask().CountPruned());
        // One to spare: the threshold is a float near the value that it is to take away.
        EXPECT_GE(pruned, weight.sparsity() * (1 - left * left * left) * count - 1) << info.step;
        EXPECT_LE(pruned, weight.sparsity() * count + 1) << info.step;
      }
    });
    rule->Finish(training.weights);
    ExpectFinal(training.weights, {90, 30, 0});
  }
}

// Without steering: the target is put in force at the end by the smaller of the two thresholds.
TEST(STRScheduler, ProjectsOnTheTargetAndSaysHowFarItWas) {
  for (const double initial : {-2.0, 0.5}) {  // α = 0.12: too dense; 0.62: too sparse
    LogCapture log;
    const auto rule =
        STRScheduler({.initial = initial, .learning_rate = 0, .steer = false, .end = 1})
            .MakeRule(MagnitudeContext());
    ToyTraining training({0.3}, {{10, 100}});
    const Tensor w = training.weights[0].latent;
    std::vector<double> sorted;
    int64_t learned = 0;
    for (const float v : w.values()) {
      sorted.push_back(std::abs(v));
      learned += std::abs(v) <= Sigmoid(initial);
    }
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(learned > 300, initial > 0);
    rule->Begin(training.weights, 1);
    rule->Prepare({0, 1, 0.1}, training.weights);
    EXPECT_EQ(training.weights[0].mask().CountPruned(), learned);
    rule->Finish(training.weights);
    ExpectFinal(training.weights, {30});
    const double alpha = std::min(Sigmoid(initial), sorted[299]);
    for (int64_t j = 0; j < w.size(); ++j) {
      const double magnitude = std::abs(w[j]);
      const double expected = magnitude > sorted[299] ? std::copysign(magnitude - alpha, w[j]) : 0;
      EXPECT_NEAR(training.weights[0].effective[j], expected, 1e-6);
    }
    EXPECT_TRUE(log.Contains(fmt::format(
        "STRScheduler: layer0.weight: learned {:.2f} % at threshold {:.3g}, target 30.00 %, "
        "steered in 0 of 1 steps",
        static_cast<double>(learned) / 10, Sigmoid(initial))))
        << log.lines().at(0);
  }
}

TEST(STRScheduler, TrainsUnderTheMasksOfTheEnd) {
  LogCapture quiet;
  const auto rule = STRScheduler({.end = 0.5}).MakeRule(MagnitudeContext());
  ToyTraining training({0.8, 0.6});
  rule->Begin(training.weights, 30);
  Mask mask;
  training.Run(*rule, 0, 30, 30, [&](const StepInfo& info, const Prepared& prepared) {
    EXPECT_EQ(prepared.masks, info.step <= 15);
    if (info.step == 15) mask = training.weights[0].mask();
    EXPECT_TRUE(info.step < 15 || training.weights[0].mask() == mask) << info.step;
  });
  rule->Finish(training.weights);
  ExpectFinal(training.weights, {80, 60});
}

TEST(STRScheduler, Continues) {
  for (const bool steer : {true, false}) {
    ExpectContinues(STRScheduler({.initial = -3, .decay = 0.1, .steer = steer, .end = 0.6}),
                    MagnitudeContext());
  }
}

TEST(STRScheduler, RefusesAStateThatDoesNotFit) {
  const auto rule = STRScheduler(STROptions{}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5, 0.5});
  rule->Begin(training.weights, 10);
  const auto message = [](const std::function<void()>& body) -> std::string {
    try {
      body();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([&] {
              rule->SetState({{"threshold", Tensor({2})}});
            }),
            "STRScheduler: the state to continue from holds 1 tensors; this run needs 2");
  EXPECT_EQ(message([&] {
              rule->SetState({{"threshold", Tensor({3})}, {"steered", Tensor({2})}});
            }),
            "STRScheduler: \"threshold\" of the state to continue from has shape [3]; this run "
            "needs [2]");
  EXPECT_EQ(message([&] {
              rule->SetState({{"other", Tensor({2})}, {"steered", Tensor({2})}});
            }),
            "STRScheduler: the state to continue from has no \"threshold\"");
  EXPECT_EQ(message([&] {
              rule->Prepare({3, 10, 0.1}, training.weights);
            }),
            "STRScheduler: continues at step 3 without the state of the steps before it");
}

TEST(STRScheduler, RefusesOtherGeneratorsAndKwargs) {
  const STRScheduler scheduler(STROptions{});
  const auto refusal = [&](std::shared_ptr<const MaskGenerator> generator) {
    return UsageMessage([&] { scheduler.MakeRule({std::move(generator), false, 0}); });
  };
  EXPECT_EQ(refusal(std::make_shared<BlockMaskGenerator>(BlockMaskOptions{})),
            "scheduler.type: STRScheduler prunes single weights below a threshold, which gives no "
            "pattern of BlockMaskGenerator; take mask_generator.type NormalMaskGenerator, neither "
            "structured nor row_normalized");
  EXPECT_THAT(refusal(std::make_shared<RandomMaskGenerator>()), HasSubstr("RandomMaskGenerator"));
  for (const NormalMaskOptions& options :
       {NormalMaskOptions{.structured = true}, NormalMaskOptions{.row_normalized = true}}) {
    EXPECT_THAT(refusal(std::make_shared<NormalMaskGenerator>(options)),
                HasSubstr("pattern of NormalMaskGenerator"));
  }
  const auto make = [](const STROptions& options) {
    return UsageMessage([&] { STRScheduler made(options); });
  };
  EXPECT_EQ(make({.initial = 20}),
            "scheduler.kwargs.initial: 20 is out of range, expected -10000 … 16");
  EXPECT_EQ(make({.learning_rate = -1}),
            "scheduler.kwargs.learning_rate: -1 is out of range, expected ≥ 0");
  EXPECT_EQ(make({.decay = INFINITY}), "scheduler.kwargs.decay: inf is out of range, expected ≥ 0");
  EXPECT_EQ(make({.end = 0}), "scheduler.kwargs.end: 0 is out of range, expected above 0 … 1");
}

}  // namespace
}  // namespace sparsify
