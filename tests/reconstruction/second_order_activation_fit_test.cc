#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "reconstruction/second_order/activation_fit.h"
#include "reconstruction/second_order/least_squares.h"
#include "second_order_support.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr ValueRange kRelu = {0, kInfinity};

LayerStatistics Keeping(int64_t rows, int64_t columns) {
  StatisticsOptions options;
  options.kept_positions = 1;
  return {LinearNode(), LinearLayer(rows, columns), options};
}

Mask Without(const Shape& shape, const std::vector<int64_t>& pruned) {
  Mask mask(shape);
  for (const int64_t i : pruned) mask.Set(i, false);
  return mask;
}

LayerSolution Solved(const LayerStatistics& statistics, const Tensor& dense, const Mask& mask) {
  return SolveLeastSquares(statistics, dense, mask, {});
}

// Of the layer's mean squared error behind the activation, a row.
Real ErrorBehind(const Tensor& x, const Tensor& y, const LayerSolution& layer, int64_t row,
                 const ValueRange& range, bool held_back) {
  const int64_t columns = x.shape()[1];
  const int64_t rows = y.shape()[1];
  Real sum = 0;
  int64_t count = 0;
  for (int64_t n = 0; n < x.shape()[0]; ++n) {
    if ((n % 8 == 7) != held_back) continue;
    Real s = layer.bias[row];
    for (int64_t c = 0; c < columns; ++c) {
      s += Real{layer.weight[row * columns + c]} * x[n * columns + c];
    }
    const auto limit = [&](Real v) {
      return std::min<Real>(std::max<Real>(v, range.low), range.high);
    };
    const Real e = limit(s) - limit(y[n * rows + row]);
    sum += e * e;
    ++count;
  }
  return sum / static_cast<Real>(count);
}

/// y = x₀ where that is inside the range; outside it lies further out by x₁, which is pruned.
struct HiddenColumn {
  explicit HiddenColumn(const ValueRange& range) {
    for (int64_t n = 0; n < x.shape()[0]; ++n) {
      const float wanted = x[2 * n];
      float& hidden = x[2 * n + 1];
      hidden = wanted < range.low    ? -3 * std::abs(hidden)
               : wanted > range.high ? 3 * std::abs(hidden)
                                     : 0;
      y[n] = wanted + hidden;
    }
    statistics.Add(x, y);
  }

  Tensor x = RandomTensor({400, 2}, 3, 0.3);
  Tensor y = Tensor({400, 1});
  Tensor dense = Tensor({1, 2}, {1, 1});
  LayerStatistics statistics = Keeping(1, 2);
};

TEST(ActivationFit, FindsWeightsThatAreRightInsideTheRange) {
  for (const ValueRange range : {kRelu, ValueRange{0, 1}, ValueRange{-kInfinity, 0.5F}}) {
    const HiddenColumn data(range);
    LayerSolution layer = Solved(data.statistics, data.dense, Without({1, 2}, {1}));
    EXPECT_GT(std::abs(layer.weight[0] - 1), 0.1F);
    ActivationFitOptions options;
    options.damping = 0;
    options.newton_steps = 20;
    const ActivationFit fit =
        FitBehindActivation(data.statistics, data.dense, range, options, layer);
    EXPECT_EQ(fit.rows, 1);
    EXPECT_EQ(fit.improved, 1);
    EXPECT_EQ(fit.obstacle, "");
    EXPECT_NEAR(layer.weight[0], 1, 1e-3);
    EXPECT_NEAR(layer.bias[0], 0, 1e-3);
    EXPECT_EQ(layer.weight[1], 0);
    EXPECT_GT(fit.before, 1e-2);
    EXPECT_LT(fit.after, 1e-5);
  }
}

TEST(ActivationFit, ReportsTheErrorOfTheImagesHeldBack) {
  const LinearCase data(5, 12, 320, 7);
  LayerStatistics statistics = Keeping(5, 12);
  statistics.Add(data.inputs, data.targets);
  std::vector<int64_t> pruned;
  for (int64_t i = 0; i < 60; i += 2) pruned.push_back(i);
  LayerSolution layer = Solved(statistics, data.weight, Without({5, 12}, pruned));
  const LayerSolution before = layer;
  const ActivationFit fit = FitBehindActivation(statistics, data.weight, kRelu, {}, layer);
  Real error_before = 0;
  Real error_after = 0;
  int64_t improved = 0;
  for (int64_t r = 0; r < 5; ++r) {
    const Real first = ErrorBehind(data.inputs, data.targets, before, r, kRelu, true);
    const Real last = ErrorBehind(data.inputs, data.targets, layer, r, kRelu, true);
    error_before += first;
    error_after += last;
    EXPECT_LE(last, first);
    improved += last < first ? 1 : 0;
    // Where a row changed, the samples it was fitted to gained.
    if (last < first) {
      EXPECT_LT(ErrorBehind(data.inputs, data.targets, layer, r, kRelu, false),
                ErrorBehind(data.inputs, data.targets, before, r, kRelu, false));
    } else {
      for (int64_t c = 0; c < 12; ++c) {
        EXPECT_EQ(layer.weight[r * 12 + c], before.weight[r * 12 + c]);
      }
      EXPECT_EQ(layer.bias[r], before.bias[r]);
    }
  }
  EXPECT_GT(improved, 0);
  EXPECT_EQ(fit.improved, improved);
  EXPECT_NEAR(fit.before, static_cast<double>(error_before), 1e-4 * fit.before);
  EXPECT_NEAR(fit.after, static_cast<double>(error_after), 1e-4 * fit.before);
  for (const int64_t i : pruned) EXPECT_EQ(layer.weight[i], 0);
}

// Of many outputs every eighth is tried first: where these gain, all are fitted, to the same
// weights as in a layer of few outputs.
TEST(ActivationFit, ManyOutputsAreTriedOnSomeFirst) {
  constexpr int64_t kMany = 130;
  const LinearCase data(kMany, 12, 2400, 7);
  LayerStatistics statistics = Keeping(kMany, 12);
  statistics.Add(data.inputs, data.targets);
  std::vector<int64_t> pruned;
  for (int64_t i = 0; i < kMany * 12; i += 2) pruned.push_back(i);
  LayerSolution layer = Solved(statistics, data.weight, Without({kMany, 12}, pruned));
  const ActivationFit fit = FitBehindActivation(statistics, data.weight, kRelu, {}, layer);
  EXPECT_EQ(fit.rows, kMany);
  EXPECT_EQ(fit.tried, kMany);
  EXPECT_GT(fit.improved, kMany / 8);
  for (const int64_t first : {0, 7, 121}) {
    Tensor targets(Shape{2400, 9});
    for (int64_t n = 0; n < 2400; ++n) {
      for (int64_t r = 0; r < 9; ++r) targets[n * 9 + r] = data.targets[n * kMany + first + r];
    }
    Tensor dense(Shape{9, 12});
    Mask mask(dense.shape());
    for (int64_t i = 0; i < dense.size(); ++i) {
      dense[i] = data.weight[first * 12 + i];
      mask.Set(i, i % 2 != 0);
    }
    LayerStatistics few = Keeping(9, 12);
    few.Add(data.inputs, targets);
    LayerSolution part = Solved(few, dense, mask);
    FitBehindActivation(few, dense, kRelu, {}, part);
    for (int64_t i = 0; i < dense.size(); ++i) {
      ASSERT_NEAR(part.weight[i], layer.weight[first * 12 + i], 1e-2) << first << " " << i;
    }
  }
}

TEST(ActivationFit, WhereFewOutputsGainTheOthersStay) {
  constexpr int64_t kMany = 256;
  LinearCase data(kMany, 12, 320, 9);
  // Far inside the range: there is nothing to be gained behind the activation.
  for (float& y : data.targets.values()) y += 1000;
  LayerStatistics statistics = Keeping(kMany, 12);
  statistics.Add(data.inputs, data.targets);
  const Mask all({kMany, 12});
  LayerSolution layer = Solved(statistics, data.weight, all);
  const LayerSolution before = layer;
  const ActivationFit fit = FitBehindActivation(statistics, data.weight, kRelu, {}, layer);
  EXPECT_EQ(fit.tried, 32);
  for (int64_t i = 12; i < 96; ++i) EXPECT_EQ(layer.weight[i], before.weight[i]);  // rows 1 … 7
  EXPECT_EQ(fit.rows, kMany);
}

TEST(ActivationFit, AnActivationThatLimitsNothingLeavesLeastSquaresOfItsSamples) {
  const LinearCase data(3, 6, 240, 11);
  LayerStatistics statistics = Keeping(3, 6);
  statistics.Add(data.inputs, data.targets);
  // Far off, so that every row takes the fit.
  LayerSolution layer = Solved(statistics, data.weight, Without({3, 6}, {1, 9, 14}));
  for (float& w : layer.weight.values()) w *= 0.2F;
  ActivationFitOptions options;
  options.damping = 0;
  options.gradient_steps = 20;
  const ActivationFit fit =
      FitBehindActivation(statistics, data.weight, {-kInfinity, kInfinity}, options, layer);
  EXPECT_EQ(fit.improved, 3);
  for (int64_t r = 0; r < 3; ++r) {
    Rows x;
    Rows y;
    std::vector<int64_t> support;
    for (int64_t c = 0; c < 6; ++c) {
      if (layer.mask[r * 6 + c]) support.push_back(c);
    }
    for (int64_t n = 0; n < 240; ++n) {
      if (n % 8 == 7) continue;
      Row row;
      for (const int64_t c : support) row.push_back(data.inputs[n * 6 + c]);
      x.push_back(row);
      y.push_back({data.targets[n * 3 + r]});
    }
    const NaiveMoments m = MomentsOf(x, y);
    const Row expected = Solve(m.covariance, m.cross[0]);
    Real bias = m.target_mean[0];
    for (size_t i = 0; i < support.size(); ++i) {
      EXPECT_NEAR(layer.weight[r * 6 + support[i]], static_cast<double>(expected[i]), 2e-3);
      bias -= expected[i] * m.input_mean[i];
    }
    EXPECT_NEAR(layer.bias[r], static_cast<double>(bias), 2e-2);
  }
}

TEST(ActivationFit, KeepsWeightsThatNoImageCouldJudge) {
  const LinearCase data(2, 4, 7, 5);  // fewer than eight images
  LayerStatistics few = Keeping(2, 4);
  few.Add(data.inputs, data.targets);
  const LinearCase many(2, 4, 40, 5);  // no samples kept
  for (const LayerStatistics* statistics :
       std::vector<const LayerStatistics*>{&few, &many.statistics}) {
    LayerSolution layer = Solved(*statistics, data.weight, Without({2, 4}, {0, 5}));
    const LayerSolution before = layer;
    const ActivationFit fit = FitBehindActivation(*statistics, data.weight, kRelu, {}, layer);
    EXPECT_EQ(fit.improved, 0);
    EXPECT_EQ(fit.before, 0);
    EXPECT_EQ(fit.obstacle, "fewer than eight images to judge it by");
    EXPECT_TRUE(std::equal(layer.weight.values().begin(), layer.weight.values().end(),
                           before.weight.values().begin()));
  }
}

}  // namespace
}  // namespace sparsify
