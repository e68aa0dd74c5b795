#include "schedulers/admm_scheduler.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>

#include "sparsity/base/log.h"
#include "sparsity/mask/nm_mask_generator.h"
#include "tests/schedulers/toy_training.h"

namespace sparsify {
namespace {

using testing::ExpectContinues;
using testing::ExpectFinal;
using testing::MagnitudeContext;
using testing::ToyTraining;
using testing::UsageMessage;

double SquaredDistance(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t j = 0; j < a.size(); ++j) sum += std::pow(static_cast<double>(a[j]) - b[j], 2);
  return sum;
}

TEST(ADMMScheduler, ProjectsOnTheNearestTensorOfAllMasks) {
  RuleContext context = MagnitudeContext();
  LogCapture quiet;
  for (const bool nm : {false, true}) {
    if (nm) context.generator = std::make_shared<NMMaskGenerator>(NMMaskOptions{1, 4});
    const auto rule = ADMMScheduler(ADMMOptions{}).MakeRule(context);
    ToyTraining training({0.75}, {{3, 4}});
    rule->Begin(training.weights, 100);
    rule->Prepare({0, 100, 0.1}, training.weights);
    const Tensor& w = training.weights[0].latent;
    double best = INFINITY;
    for (uint32_t kept = 0; kept < (1U << 12); ++kept) {
      if (std::popcount(kept) != 3) continue;
      const bool each_row = (kept & 0xF) != 0 && (kept & 0xF0) != 0 && (kept & 0xF00) != 0;
      if (nm && !each_row) continue;
      Tensor z = w;
      for (int64_t j = 0; j < z.size(); ++j) {
        if (!(kept >> j & 1)) z[j] = 0;
      }
      best = std::min(best, SquaredDistance(w, z));
    }
    const auto state = rule->State();
    EXPECT_NEAR(SquaredDistance(w, state.at("layer0.weight.z")), best, 1e-6);
    EXPECT_EQ(CountZeros(state.at("layer0.weight.z")), 9);
    EXPECT_EQ(CountZeros(state.at("layer0.weight.u")), 12);
  }
}

// The iteration by its formulas, in double, beside the rule's: at step k·interval Z and U, in each
// step the gradient.
TEST(ADMMScheduler, TakesTheStepsOfThePaper) {
  const auto rule =
      ADMMScheduler({.rho = 0.5, .interval = 3, .end = 0.9}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5}, {{2, 4}});
  TrainedWeight& weight = training.weights[0];
  rule->Begin(training.weights, 20);
  std::vector<double> z(8);
  std::vector<double> u(8);
  for (int64_t step = 0; step < 18; ++step) {
    rule->Prepare({step, 20, 0.1}, training.weights);
    if (step % 3 == 0) {
      std::vector<std::pair<double, size_t>> order;
      for (size_t j = 0; j < 8; ++j) {
        z[j] = weight.latent[static_cast<int64_t>(j)] + u[j];
        order.emplace_back(std::abs(z[j]), j);
      }
      std::sort(order.begin(), order.end());
      for (size_t k = 0; k < 4; ++k) z[order[k].second] = 0;
      for (size_t j = 0; j < 8 && step > 0; ++j) {
        u[j] += weight.latent[static_cast<int64_t>(j)] - z[j];
      }
    }
    Tensor gradient = training.Gradients(step)[0];
    const Tensor loss = gradient;
    Tensor* pointer = &gradient;
    EXPECT_TRUE(rule->Backward({step, 20, 0.1}, training.weights, {&pointer, 1}));
    for (int64_t j = 0; j < 8; ++j) {
      const auto at = static_cast<size_t>(j);
      EXPECT_NEAR(gradient[j], loss[j] + 0.5 * (weight.latent[j] - z[at] + u[at]), 1e-5) << step;
      EXPECT_EQ(weight.effective[j], weight.latent[j]);
      weight.latent[j] -= 0.1F * gradient[j];
    }
  }
}

// ½ Σ h(w − a)² under a count of non-zeros: the places of largest h·a² stay, at a. Half the places
// have small a but steep curvature; magnitude alone would prune just these.
TEST(ADMMScheduler, ConvergesToTheBestSparsePointOfAConvexProblem) {
  LogCapture log;
  const auto rule =
      ADMMScheduler({.rho = 1, .interval = 25, .end = 0.8}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5}, {{2, 4}});
  training.noise = 0;
  training.decay = 0;
  training.momentum = 0;
  training.optimum[0] = Tensor({2, 4}, {1, -1.1F, 1.2F, -1.3F, 1.4F, 1.5F, -1.6F, 1.7F});
  training.curvature[0] = Tensor({2, 4}, {10, 10, 10, 10, 0.1F, 0.1F, 0.1F, 0.1F});
  training.weights[0].latent = training.optimum[0];
  rule->Begin(training.weights, 2000);
  training.Run(*rule, 0, 2000, 2000);
  rule->Finish(training.weights);
  ExpectFinal(training.weights, {50});
  for (int64_t j = 0; j < 8; ++j) {
    EXPECT_NEAR(training.weights[0].effective[j], j < 4 ? training.optimum[0][j] : 0, 1e-4) << j;
  }
  // W had gone to Z before the masks came.
  EXPECT_TRUE(log.Contains("ADMMScheduler: the weights that go at step 1600 hold "));
  const std::string line = log.lines().at(0);
  EXPECT_LT(std::stod(line.substr(line.find("hold ") + 5)), 1);
}

TEST(ADMMScheduler, TrainsUnderMasksFromTheEndOn) {
  for (const double end : {0.5, 1.0}) {
    LogCapture quiet;
    const auto rule = ADMMScheduler({.interval = 4, .end = end}).MakeRule(MagnitudeContext());
    EXPECT_TRUE(rule->HoldsPruned());
    ToyTraining training({0.8, 0.6, 0});
    rule->Begin(training.weights, 20);
    training.Run(*rule, 0, 20, 20, [&](const StepInfo& info, const Prepared& prepared) {
      EXPECT_EQ(prepared.masks, info.step == 10 && end < 1);
      EXPECT_EQ(training.weights[1].mask().CountPruned(), info.step >= 10 && end < 1 ? 72 : 0);
    });
    rule->Finish(training.weights);
    ExpectFinal(training.weights, {80, 60, 0});
  }
}

TEST(ADMMScheduler, SaysThatThereIsNoDualUpdate) {
  LogCapture log;
  const auto rule = ADMMScheduler({.interval = 12, .end = 0.6}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5});
  rule->Begin(training.weights, 20);
  EXPECT_TRUE(
      log.Contains("ADMMScheduler: no dual update: interval is 12 and end is step 12 of 20"));
  rule->Begin(training.weights, 40);
  EXPECT_EQ(log.lines().size(), 1U);
}

TEST(ADMMScheduler, Continues) {
  ExpectContinues(ADMMScheduler({.rho = 0.1, .interval = 3, .end = 0.6}), MagnitudeContext());
  const auto rule = ADMMScheduler({.interval = 3}).MakeRule(MagnitudeContext());
  ToyTraining training({0.5});
  rule->Begin(training.weights, 10);
  EXPECT_THROW(rule->Prepare({3, 10, 0.1}, training.weights), Error);
}

TEST(ADMMScheduler, RefusesKwargs) {
  const auto make = [](const ADMMOptions& options) {
    return UsageMessage([&] { ADMMScheduler scheduler(options); });
  };
  EXPECT_EQ(make({.rho = 0}), "scheduler.kwargs.rho: 0 is out of range, expected > 0");
  EXPECT_EQ(make({.interval = 0}), "scheduler.kwargs.interval: 0 is out of range, expected ≥ 1");
  EXPECT_EQ(make({.end = 2}), "scheduler.kwargs.end: 2 is out of range, expected above 0 … 1");
}

}  // namespace
}  // namespace sparsify
