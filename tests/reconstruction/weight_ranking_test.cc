#include "reconstruction/weight_ranking.h"

#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/random.h"
#include "sparsity/mask/normal_mask_generator.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

// Rows of very different size, ties, zeros and a row of zeros.
Tensor AwkwardWeights() {
  Random random(3);
  Tensor weight = testing::RandomTensor(random, {6, 5, 3, 3});
  for (int64_t i = 0; i < weight.size(); ++i) {
    const int64_t row = i / 45;
    if (row == 2) weight[i] *= 100;
    if (row == 3) weight[i] = i % 2 == 0 ? 0.5F : -0.5F;
    if (row == 4) weight[i] = 0;
    if (i % 7 == 0) weight[i] = -0.0F;
  }
  return weight;
}

double Score(const Tensor& weight, int64_t i) { return std::abs(double{weight[i]}); }

TEST(WeightRanking, OrdersAsTheMaskGeneratorPrunes) {
  const Tensor weight = AwkwardWeights();
  for (const bool row_normalized : {false, true}) {
    const WeightRanking ranking(weight, row_normalized);
    ASSERT_EQ(ranking.size(), weight.size());
    const NormalMaskGenerator generator({.row_normalized = row_normalized});
    for (int64_t pruned = 0; pruned <= weight.size(); pruned += 9) {
      const double s = static_cast<double>(pruned) / static_cast<double>(weight.size());
      const ::sparsify::Mask mask = generator.Generate(weight, s, {});
      int64_t gone = 0;
      for (int64_t rank = 0; rank < ranking.size(); ++rank) {
        const bool kept = mask[ranking.Index(rank)];
        EXPECT_EQ(kept, rank >= pruned) << rank << " of " << pruned;
        gone += kept ? 0 : 1;
      }
      EXPECT_EQ(gone, pruned);
    }
  }
}

TEST(WeightRanking, TheWindowHoldsTheNearestOnBothSides) {
  Tensor weight({1, 6});
  const float values[] = {-0.1F, 0.9F, 0.2F, -0.4F, 0.5F, 0.3F};
  for (int64_t i = 0; i < 6; ++i) weight[i] = values[i];
  const WeightRanking ranking(weight, false);  // 0.1 0.2 0.3 0.4 0.5 0.9
  const ThresholdWindow window = ranking.Near(4, 3);
  EXPECT_NEAR(window.threshold, 0.45, 1e-6);
  EXPECT_EQ(window.first, 2);  // 0.3 0.4 0.5
  EXPECT_EQ(window.last, 5);
  EXPECT_NEAR(window.width, 0.15, 1e-6);
  const ThresholdWindow none = ranking.Near(0, 2);
  EXPECT_NEAR(none.threshold, 0.1, 1e-6);
  EXPECT_EQ(none.first, 0);
  EXPECT_EQ(none.last, 2);
  const ThresholdWindow all = ranking.Near(6, 100);
  EXPECT_NEAR(all.threshold, 0.9, 1e-6);
  EXPECT_EQ(all.first, 0);
  EXPECT_EQ(all.last, 6);
  EXPECT_NEAR(all.width, 0.8, 1e-6);
}

// Σ aᵢ S((xᵢ − t)/h) with S the integral of ¾(1 − u²).
double SmoothSum(const Tensor& weight, const std::vector<double>& a, double t, double h) {
  double sum = 0;
  for (int64_t i = 0; i < weight.size(); ++i) {
    const double u = std::clamp((Score(weight, i) - t) / h, -1.0, 1.0);
    sum += a[static_cast<size_t>(i)] * (0.5 + 0.75 * (u - u * u * u / 3));
  }
  return sum;
}

TEST(WeightRanking, TheGradientIsTheSmoothStepsDerivativeByTheSparsityItGives) {
  Random random(5);
  const Tensor weight = testing::RandomTensor(random, {20, 30});
  const Tensor gradient = testing::RandomTensor(random, {20, 30});
  std::vector<double> terms;
  for (int64_t i = 0; i < weight.size(); ++i) {
    terms.push_back(double{gradient[i]} * double{weight[i]});
  }
  const std::vector<double> ones(terms.size(), 1.0);
  const WeightRanking ranking(weight, false);
  for (const int64_t pruned : {1, 60, 300, 540, 599}) {
    const ThresholdWindow w = ranking.Near(pruned, 80);
    const double step = 1e-5 * w.width;
    const double loss = SmoothSum(weight, terms, w.threshold + step, w.width) -
                        SmoothSum(weight, terms, w.threshold - step, w.width);
    const double kept = SmoothSum(weight, ones, w.threshold + step, w.width) -
                        SmoothSum(weight, ones, w.threshold - step, w.width);
    const double expected = loss / (-kept / 600);  // dL/dt over ds/dt
    EXPECT_NEAR(ranking.SparsityGradient(w, gradient), expected, 1e-4 * std::abs(expected))
        << pruned;
  }
}

TEST(WeightRanking, OfAQuadraticLossItIsThePriceOfTheNextWeight) {
  constexpr int64_t kCount = 4000;
  Tensor weight({1, kCount});
  Tensor gradient({1, kCount});
  for (int64_t i = 0; i < kCount; ++i) {
    weight[i] = static_cast<float>(i + 1) / static_cast<float>(kCount);
    if (i % 2 == 0) weight[i] = -weight[i];
  }
  const WeightRanking ranking(weight, false);
  for (const double s : {0.25, 0.5, 0.9}) {
    // L = ½ Σ (ŵ − w)² has the gradient −w where it is pruned; dL/ds is n/2 times the mean of w²
    // over the lower half of the kernel, (t − hu)² with E[u] = 3/8 and E[u²] = 1/5: n·t²/2 as
    // h → 0.
    const auto pruned = static_cast<int64_t>(s * kCount);
    for (int64_t i = 0; i < kCount; ++i) gradient[i] = i < pruned ? -weight[i] : 0;
    const ThresholdWindow window = ranking.Near(pruned, 100);
    const double h = window.width;
    const double expected = kCount / 2.0 * (s * s - 2 * s * h * 3 / 8 + h * h / 5);
    EXPECT_NEAR(ranking.SparsityGradient(window, gradient), expected, 0.02 * expected) << s;
    EXPECT_NEAR(expected, kCount * s * s / 2, 0.04 * expected);
  }
}

TEST(WeightRanking, CountingTheKeptWeightsFallsByAllOfThem) {
  const Tensor weight = AwkwardWeights();
  Tensor gradient(weight.shape());  // of the sum of mᵢ: 1/wᵢ for ŵᵢ
  for (int64_t i = 0; i < weight.size(); ++i) gradient[i] = weight[i] == 0 ? 0 : 1 / weight[i];
  const WeightRanking ranking(weight, false);
  for (const int64_t pruned : {120, 150, 200, 270}) {
    EXPECT_NEAR(ranking.SparsityGradient(ranking.Near(pruned, 16), gradient),
                -static_cast<double>(weight.size()), 1e-3)
        << pruned;
  }
}

TEST(WeightRanking, EqualScoresCountAlike) {
  Tensor weight({1, 8});
  Tensor gradient({1, 8});
  for (int64_t i = 0; i < 8; ++i) {
    weight[i] = 2;
    gradient[i] = static_cast<float>(i);
  }
  const WeightRanking ranking(weight, false);
  // Above the threshold first: ranks 3, 4, 5, 6 of 8, mean 4.5.
  EXPECT_DOUBLE_EQ(ranking.SparsityGradient(ranking.Near(3, 4), gradient), -8 * 2 * 4.5);
  Tensor one({1, 1});
  one[0] = 3;
  const WeightRanking single(one, true);
  for (const int64_t pruned : {0, 1}) {
    EXPECT_DOUBLE_EQ(single.SparsityGradient(single.Near(pruned, 32), one), -9) << pruned;
  }
}

}  // namespace
}  // namespace sparsify
