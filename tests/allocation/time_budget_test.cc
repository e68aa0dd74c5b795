#include "sparsity/allocation/time_budget.h"

#include <cmath>
#include <limits>

#include "tests/allocation/allocation_testing.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;
using testing::MessageOf;

/// Times at 0, 0.3 … 0.9 of layers that take `dense` dense and lose `gain` linearly up to 0.9.
LayerTimes Linear(const std::vector<double>& dense, const std::vector<double>& gain,
                  double rest = 0) {
  LayerTimes times;
  for (const double level : {0.0, 0.3, 0.6, 0.9}) {
    NetworkTimes& network = times.levels.emplace_back();
    network.level = level;
    network.rest_ms = rest;
    for (size_t i = 0; i < dense.size(); ++i) {
      network.layers.push_back(
          {fmt::format("l{}", i), 1, 1, level, dense[i] - gain[i] * level / 0.9, ""});
    }
  }
  return times;
}

/// aᵢ·s² in steps of 0.05, so that between the points it is nearly that.
std::vector<SensitivityCurve> Quadratic(const std::vector<double>& factors) {
  std::vector<SensitivityCurve> curves;
  for (size_t i = 0; i < factors.size(); ++i) {
    SensitivityCurve curve{fmt::format("l{}", i), 1, 1, {}, {}};
    for (int p = 1; p <= 19; ++p) {
      curve.sparsity.push_back(p / 20.0);
      curve.loss.push_back(factors[i] * p * p / 400.0);
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

TEST(TimeModel, MeetsTheClosedFormOfQuadraticLosses) {
  // Least Σ aᵢsᵢ² with Σ gᵢsᵢ = S: sᵢ = λgᵢ/aᵢ, λ = S/Σ(gᵢ²/aᵢ). All of them inside 0.3 … 0.9.
  const std::vector<double> a = {1, 2, 4};
  const std::vector<double> g = {4, 9, 14};  // a second a unit of sparsity is g/0.9
  const LayerTimes times = Linear({10, 10, 20}, g, 2.5);
  const TimeModel model(Quadratic(a), times, 1);
  EXPECT_DOUBLE_EQ(model.dense_ms(), 42.5);
  EXPECT_NEAR(model.fastest_ms(), 42.5 - 27, 1e-9);
  const double limit = 25;
  double norm = 0;
  for (size_t i = 0; i < a.size(); ++i) norm += g[i] / 0.9 * g[i] / 0.9 / a[i];
  const double lambda = (42.5 - limit) / norm;
  double least = 0;
  const TimeSolution solution = model.Solve(limit);
  for (size_t i = 0; i < a.size(); ++i) {
    const double s = lambda * g[i] / 0.9 / a[i];
    least += a[i] * s * s;
    EXPECT_NEAR(solution.sparsity[i], s, 0.03) << i;
  }
  EXPECT_NEAR(solution.loss, least, 0.01 * least);
  EXPECT_LE(solution.ms, limit);
  EXPECT_GT(solution.ms, 0.99 * limit);
}

/// Every combination of 0 and 0.3, 0.31 … 0.9 of two layers, written anew.
double BruteForce(const std::vector<SensitivityCurve>& curves, const LayerTimes& times,
                  double limit) {
  const auto at = [](const std::vector<double>& x, const std::vector<double>& y, double s) {
    for (size_t i = 0; i + 1 < x.size(); ++i) {
      if (s >= x[i] && s <= x[i + 1]) {
        return y[i] + (y[i + 1] - y[i]) * (s - x[i]) / (x[i + 1] - x[i]);
      }
    }
    return y.back();
  };
  std::vector<double> choices = {0};
  for (int i = 30; i <= 90; ++i) choices.push_back(i / 100.0);
  std::vector<std::vector<double>> ms(2);
  std::vector<std::vector<double>> loss(2);
  for (size_t l = 0; l < 2; ++l) {
    std::vector<double> levels;
    std::vector<double> level_ms;
    for (const NetworkTimes& level : times.levels) {
      levels.push_back(level.level);
      level_ms.push_back(level.layers[l].ms);
    }
    std::vector<double> x = {0};
    std::vector<double> y = {0};
    for (size_t p = 0; p < curves[l].sparsity.size(); ++p) {
      x.push_back(curves[l].sparsity[p]);
      y.push_back(std::max(y.back(), curves[l].loss[p]));
    }
    for (const double s : choices) {
      ms[l].push_back(at(levels, level_ms, s));
      loss[l].push_back(at(x, y, s));
    }
  }
  double best = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < choices.size(); ++i) {
    for (size_t j = 0; j < choices.size(); ++j) {
      if (times.levels[0].rest_ms + ms[0][i] + ms[1][j] > limit) continue;
      best = std::min(best, loss[0][i] + loss[1][j]);
    }
  }
  return best;
}

TEST(TimeModel, FindsTheBestOfAllCombinations) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    LayerTimes times = Linear({5 + 10 * random.Uniform(), 5 + 10 * random.Uniform()}, {0, 0}, 1);
    for (size_t l = 0; l < 2; ++l) {
      double ms = times.levels[0].layers[l].ms;
      for (NetworkTimes& level : times.levels) {
        level.layers[l].ms = ms;  // falls by chance, not convex
        ms -= 1.6 * random.Uniform();
      }
    }
    std::vector<SensitivityCurve> curves;
    for (int l = 0; l < 2; ++l) {
      SensitivityCurve curve{fmt::format("l{}", l), 1, 1, {}, {}};
      double loss = 0;
      for (const double s : {0.2, 0.5, 0.7, 0.9}) {
        loss += random.Uniform();
        curve.sparsity.push_back(s);
        curve.loss.push_back(loss);
      }
      curves.push_back(std::move(curve));
    }
    const TimeModel model(curves, times, 0.9);
    const double limit = model.fastest_ms() +
                         (0.1 + 0.8 * random.Uniform()) * (model.dense_ms() - model.fastest_ms());
    const TimeSolution solution = model.Solve(limit);
    EXPECT_LE(solution.ms, limit) << seed;
    EXPECT_GE(solution.loss, BruteForce(curves, times, limit) - 1e-9) << seed;
    // Rounded up, both layers together, to parts of the time to spare.
    const double part = (limit - model.fastest_ms()) / 10000;
    EXPECT_LE(solution.loss, BruteForce(curves, times, limit - 2 * part) + 1e-9) << seed;
  }
}

TEST(TimeModel, LayersThatGainNothingStayDense) {
  const TimeModel model(Quadratic({1, 1}), Linear({10, 10}, {6, 0}), 1);
  const TimeSolution solution = model.Solve(16);
  EXPECT_NEAR(solution.sparsity[0], 0.6, 0.011);
  EXPECT_EQ(solution.sparsity[1], 0);
}

TEST(TimeModel, KeepsTheCapAndTheOnlyPoint) {
  const LayerTimes times = Linear({10, 10}, {9, 9});
  std::vector<SensitivityCurve> curves = Quadratic({1, 1});
  curves[1].sparsity = {0.5};
  curves[1].loss = {0.01};
  const TimeModel model(curves, times, 0.75);
  EXPECT_NEAR(model.fastest_ms(), 20 - 7.5 - 5, 1e-9);
  const TimeSolution fastest = model.Solve(model.fastest_ms());
  EXPECT_DOUBLE_EQ(fastest.sparsity[0], 0.75);
  EXPECT_DOUBLE_EQ(fastest.sparsity[1], 0.5);
  EXPECT_EQ(model.Solve(20).sparsity, (std::vector<double>{0, 0}));
  EXPECT_EQ(model.Solve(15).sparsity, (std::vector<double>{0, 0.5}));
}

TEST(TimeModel, RefusesWhatCannotBe) {
  const LayerTimes times = Linear({10, 10}, {5, 5});
  EXPECT_EQ(MessageOf([&] {
              TimeModel(Quadratic({1, 1}), times, 1).Solve(9);
            }),
            "allocation: 9 ms cannot be reached, 10 ms are the least");
  EXPECT_THAT(MessageOf([&] { TimeModel(Quadratic({1}), times, 1); }),
              HasSubstr("1 sensitivity curves and times of 2 layers"));
  std::vector<SensitivityCurve> curves = Quadratic({1, 1});
  curves[1].layer = "other";
  EXPECT_THAT(MessageOf([&] { TimeModel(curves, times, 1); }),
              HasSubstr("sensitivity of \"other\" beside times of \"l1\""));
}

}  // namespace
}  // namespace sparsify
