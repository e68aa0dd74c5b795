#include "sparsity/allocation/budget.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "sparsity/base/log.h"
#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MessageOf;

std::vector<SensitivityCurve> RandomCurves(uint64_t seed, size_t layers, bool convex) {
  Random random(seed);
  std::vector<SensitivityCurve> curves;
  for (size_t i = 0; i < layers; ++i) {
    SensitivityCurve curve;
    curve.layer = fmt::format("l{}", i);
    curve.parameters = 1 + static_cast<int64_t>(random.Below(50));
    curve.macs = 1 + static_cast<int64_t>(random.Below(900));
    const double scale = std::exp(2 * random.Normal());
    double loss = 0;
    for (const double s : {0.2, 0.4, 0.6, 0.8}) {
      curve.sparsity.push_back(s);
      loss += random.Uniform() * 0.1;
      curve.loss.push_back(scale * (convex ? s * s * s : loss));
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

/// The documented loss of a curve, written anew.
double LossAt(const SensitivityCurve& curve, double sparsity, double largest) {
  std::vector<double> x = {0};
  std::vector<double> y = {0};
  for (size_t i = 0; i < curve.sparsity.size(); ++i) {
    x.push_back(curve.sparsity[i]);
    y.push_back(std::max(y.back(), curve.loss[i]));
  }
  x.insert(x.end(), {0.99, 1});
  const double last = y.back();
  y.insert(y.end(), {4 * last, std::max(4 * last, 16 * largest)});
  const auto next = std::lower_bound(x.begin() + 1, x.end(), sparsity);
  const auto i = static_cast<size_t>(next - x.begin());
  return y[i - 1] + (y[i] - y[i - 1]) * (sparsity - x[i - 1]) / (x[i] - x[i - 1]);
}

double Largest(const std::vector<SensitivityCurve>& curves) {
  double largest = 0;
  for (const auto& curve : curves) {
    largest = std::max(largest, *std::max_element(curve.loss.begin(), curve.loss.end()));
  }
  return largest;
}

double TotalLoss(const std::vector<SensitivityCurve>& curves, const std::vector<double>& sparsity) {
  double loss = 0;
  for (size_t i = 0; i < curves.size(); ++i) {
    loss += LossAt(curves[i], sparsity[i], Largest(curves));
  }
  return loss;
}

double Removed(const std::vector<SensitivityCurve>& curves, const std::vector<double>& sparsity) {
  double removed = 0;
  for (size_t i = 0; i < curves.size(); ++i) {
    removed += sparsity[i] * static_cast<double>(curves[i].parameters);
  }
  return removed;
}

double Weights(const std::vector<SensitivityCurve>& curves) {
  return Removed(curves, std::vector<double>(curves.size(), 1));
}

/// The least loss over a fine grid of all layers but the last, which fills up the budget.
double BruteForce(const std::vector<SensitivityCurve>& curves, double target, double cap) {
  constexpr int kSteps = 50;
  double best = 1e300;
  std::vector<double> sparsity(curves.size());
  const std::function<void(size_t)> visit = [&](size_t i) {
    if (i + 1 < curves.size()) {
      for (int k = 0; k <= kSteps; ++k) {
        sparsity[i] = cap * k / kSteps;
        visit(i + 1);
      }
      return;
    }
    sparsity[i] = 0;
    const double rest =
        (target - Removed(curves, sparsity)) / static_cast<double>(curves[i].parameters);
    if (rest > cap + 1e-12) return;
    sparsity[i] = std::clamp(rest, 0.0, cap);
    best = std::min(best, TotalLoss(curves, sparsity));
  };
  visit(0);
  return best;
}

// Breakpoints lie on the brute force's grid (cap 1: multiples of 0.02; 0.99 is off by a half step).
TEST(AllocateByBudget, IsAsGoodAsBruteForce) {
  for (const bool convex : {true, false}) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      const auto curves = RandomCurves(seed, 3, convex);
      for (const double share : {0.1, 0.37, 0.5, 0.75, 0.93}) {
        const double target = share * Weights(curves);
        const auto solution = AllocateByBudget(curves, {.reduction = share}, 1);
        EXPECT_NEAR(Removed(curves, solution.sparsity), target, 1e-9 * Weights(curves));
        EXPECT_NEAR(solution.loss, TotalLoss(curves, solution.sparsity), 1e-9 * solution.loss);
        EXPECT_LE(solution.loss, BruteForce(curves, target, 1) * (1 + 1e-9))
            << (convex ? "convex" : "rough") << " seed " << seed << " share " << share;
      }
    }
  }
}

/// Multiple-choice knapsack over the points alone: the exact optimum when nothing lies between.
double DynamicProgramme(const std::vector<SensitivityCurve>& curves, int64_t target) {
  // best[w]: least loss with at least w weights gone (twice, as half of each may go).
  std::vector<double> best(static_cast<size_t>(target) + 1, 1e300);
  best[0] = 0;
  for (const SensitivityCurve& curve : curves) {
    std::vector<double> next = best;
    for (int64_t w = 0; w <= target; ++w) {
      const int64_t after = std::min(target, w + curve.parameters);
      next[static_cast<size_t>(after)] =
          std::min(next[static_cast<size_t>(after)], best[static_cast<size_t>(w)] + curve.loss[0]);
    }
    best = next;
  }
  return best[static_cast<size_t>(target)];
}

TEST(AllocateByBudget, PatternsOfOneSparsityAreTakenWholeOrNotAtAll) {
  double ours = 0;
  double least = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    auto curves = RandomCurves(seed, 12, false);
    for (SensitivityCurve& curve : curves) {
      curve.sparsity = {0.5};
      curve.loss.resize(1);
    }
    const auto weights = static_cast<int64_t>(Weights(curves));
    const int64_t target = weights * 6 / 10;  // in half weights: 30 % sparsity
    const double share = static_cast<double>(target) / static_cast<double>(2 * weights);
    const auto solution = AllocateByBudget(curves, {.reduction = share}, 1);
    for (const double s : solution.sparsity) EXPECT_TRUE(s == 0 || s == 0.5) << s;
    EXPECT_GE(solution.reduction, share - 1e-12);
    const double optimum = DynamicProgramme(curves, target);
    EXPECT_GE(solution.loss, optimum - 1e-12);
    EXPECT_LE(solution.loss, optimum * 1.25) << seed;
    ours += solution.loss;
    least += optimum;
  }
  EXPECT_LE(ours, 1.02 * least);
}

TEST(AllocateByBudget, LargeProblemsAreSolvedExactlyWhereCurvesAreConvex) {
  auto curves = RandomCurves(3, 60, true);
  const auto solution = AllocateByBudget(curves, {.reduction = 0.5}, 1);
  EXPECT_NEAR(solution.reduction, 0.5, 1e-12);
  // At the optimum no layer's next step is cheaper than another's last one.
  double dearest = 0;
  double cheapest = 1e300;
  for (size_t i = 0; i < curves.size(); ++i) {
    const double s = solution.sparsity[i];
    const auto slope = [&](double from, double to) {
      return (LossAt(curves[i], to, Largest(curves)) - LossAt(curves[i], from, Largest(curves))) /
             (static_cast<double>(curves[i].parameters) * (to - from));
    };
    if (s > 1e-6) dearest = std::max(dearest, slope(s - 1e-6, s));
    if (s < 1 - 1e-6) cheapest = std::min(cheapest, slope(s, s + 1e-6));
  }
  EXPECT_LE(dearest, cheapest * (1 + 1e-6));
}

TEST(AllocateByBudget, MoreNeverCostsLessAndConvexLayersNeverTakeBack) {
  for (const bool convex : {true, false}) {
    const auto curves = RandomCurves(7, 20, convex);
    std::vector<double> before(curves.size(), 0);
    double loss = 0;
    for (int percent = 0; percent <= 100; percent += 2) {
      const auto solution = AllocateByBudget(curves, {.reduction = percent / 100.0}, 1);
      EXPECT_NEAR(solution.reduction, percent / 100.0, 1e-9);
      EXPECT_GE(solution.loss, loss * (1 - 1e-3));
      loss = solution.loss;
      for (size_t i = 0; convex && i < curves.size(); ++i) {
        EXPECT_GE(solution.sparsity[i], before[i] - 1e-9) << percent << " % layer " << i;
      }
      before = solution.sparsity;
    }
  }
}

TEST(AllocateByBudget, KeepsTheCapAndSaysWhenItIsTooLow) {
  const auto curves = RandomCurves(5, 10, false);
  const auto solution = AllocateByBudget(curves, {.reduction = 0.69}, 0.7);
  for (const double s : solution.sparsity) EXPECT_LE(s, 0.7);
  EXPECT_NEAR(solution.reduction, 0.69, 1e-9);
  EXPECT_NEAR(AllocateByBudget(curves, {.reduction = 0.7}, 0.7).reduction, 0.7, 1e-9);
  EXPECT_EQ(MessageOf([&] { AllocateByBudget(curves, {.reduction = 0.75}, 0.7); }),
            "allocation: 75 % of the layers' weights cannot go: at most 70 % with these curves and "
            "max_layer_sparsity; raise the cap, prune more layers or another pattern");
  EXPECT_THAT(MessageOf([&] {
                AllocateByBudget(curves, {BudgetKind::kMacs, 0.5, 1000000}, 1);
              }),
              HasSubstr("50 % of the network's multiply-adds cannot go: at most 0."));
}

TEST(AllocateByBudget, MeetsEveryKindOfBudget) {
  const auto curves = RandomCurves(11, 15, false);
  double weights = 0;
  double macs = 0;
  const auto size = AllocateByBudget(curves, {BudgetKind::kSize, 0.4, 100}, 1);
  const auto work = AllocateByBudget(curves, {BudgetKind::kMacs, 0.4, 2000}, 1);
  double bytes = 4 * 100;
  double left = 2000;
  for (size_t i = 0; i < curves.size(); ++i) {
    const auto n = static_cast<double>(curves[i].parameters);
    const auto m = static_cast<double>(curves[i].macs);
    weights += n;
    macs += m;
    bytes += n * (4 * (1 - size.sparsity[i]) + 1.0 / 8);
    left += m * (1 - work.sparsity[i]);
  }
  EXPECT_NEAR(bytes, 0.6 * 4 * (weights + 100), 1e-6);
  EXPECT_NEAR(left, 0.6 * (macs + 2000), 1e-6);
  EXPECT_NEAR(size.reduction, 0.4, 1e-9);
  EXPECT_NEAR(work.reduction, 0.4, 1e-9);
}

// A fall of the loss is noise; a layer is emptied only when nothing else is left.
TEST(AllocateByBudget, TreatsCurvesAsMonotoneAndExtrapolatesSteeply) {
  const SensitivityCurve noisy = {"noisy", 100, 1, {0.3, 0.6, 0.9}, {0.2, 0.1, 0.2}};
  const SensitivityCurve free = {"free", 100, 1, {0.5, 0.9}, {0, 0}};
  auto solution = AllocateByBudget({noisy, free}, {.reduction = 0.45}, 1);
  EXPECT_THAT(solution.sparsity, ElementsAre(0, 0.9));
  solution = AllocateByBudget({noisy, free}, {.reduction = 0.945}, 1);
  EXPECT_THAT(solution.sparsity, ElementsAre(::testing::DoubleEq(0.9), ::testing::DoubleEq(0.99)));
  EXPECT_DOUBLE_EQ(solution.loss, 0.2);
  solution = AllocateByBudget({noisy, free}, {.reduction = 1}, 1);
  EXPECT_THAT(solution.sparsity, ElementsAre(1, 1));
  EXPECT_DOUBLE_EQ(solution.loss, 2 * 16 * 0.2);
}

TEST(AllocateByBudget, LayersThatThePatternDoesNotFitStayDense) {
  const SensitivityCurve misfit = {"misfit", 100, 1, {0}, {0}};
  const SensitivityCurve half = {"half", 100, 1, {0.5}, {0.3}};
  EXPECT_THAT(AllocateByBudget({misfit, half}, {.reduction = 0.25}, 1).sparsity,
              ElementsAre(0, 0.5));
  EXPECT_THAT(MessageOf([&] {
                AllocateByBudget({misfit, half}, {.reduction = 0.5}, 1);
              }),
              HasSubstr("50 % of the layers' weights cannot go: at most 25 %"));
  EXPECT_THAT(MessageOf([&] {
                AllocateByBudget({misfit, half}, {.reduction = 0.1}, 0.4);
              }),
              HasSubstr("at most 0 %"));
}

TEST(AllocateByBudget, WhatFewChannelsLackOfAPatternIsSaid) {
  const SensitivityCurve stem = {"stem", 4, 1, {0.25}, {0.1}};
  const SensitivityCurve half = {"half", 96, 1, {0.5}, {0.3}};
  const LogCapture log;
  const auto solution = AllocateByBudget({stem, half}, {.reduction = 0.5}, 1);
  EXPECT_THAT(solution.sparsity, ElementsAre(0.25, 0.5));
  EXPECT_DOUBLE_EQ(solution.reduction, 0.49);
  EXPECT_TRUE(log.Contains(
      "allocation: 50 % asked; with every layer in the pattern 49 % of the layers' weights go"));
}

TEST(AllocateByBudget, RefusesWhatMakesNoSense) {
  EXPECT_EQ(MessageOf([] {
              AllocateByBudget({{"a", 1, 1, {0.5}, {}}}, {.reduction = 0.5}, 1);
            }),
            "a: its sensitivity curve has 1 sparsities and 0 losses");
  EXPECT_EQ(MessageOf([] { AllocateByBudget({}, {.reduction = 0.5}, 1); }),
            "allocation: the layers have nothing that could go");
  EXPECT_EQ(MessageOf([] { BudgetKindOf("flops"); }),
            "allocation.budget: unknown \"flops\"; percent are of: sparsity, size, macs");
}

}  // namespace
}  // namespace sparsify
