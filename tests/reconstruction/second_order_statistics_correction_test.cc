#include <gmock/gmock.h>

#include "reconstruction/second_order/least_squares.h"
#include "reconstruction/second_order/statistics_correction.h"
#include "second_order_support.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)

// Mean and variance of each output of a layer over the samples.
std::vector<std::pair<double, double>> OutputMoments(const LinearCase& data,
                                                     const LayerSolution& layer) {
  const int64_t samples = data.inputs.shape()[0];
  const int64_t columns = data.inputs.shape()[1];
  std::vector<std::pair<double, double>> moments;
  for (int64_t row = 0; row < layer.weight.shape()[0]; ++row) {
    std::vector<double> y;
    double mean = 0;
    for (int64_t n = 0; n < samples; ++n) {
      y.push_back(layer.bias[row]);
      for (int64_t c = 0; c < columns; ++c) {
        y.back() += double{layer.weight[row * columns + c]} * data.inputs[n * columns + c];
      }
      mean += y.back() / static_cast<double>(samples);
    }
    double variance = 0;
    for (const double v : y) variance += (v - mean) * (v - mean) / static_cast<double>(samples);
    moments.emplace_back(mean, variance);
  }
  return moments;
}

TEST(StatisticsCorrection, GivesTheTargetsMeanAndVariance) {
  const LinearCase data(5, 12, 300, 3);
  const Mask mask = RandomMask({5, 12}, 0.4, 9);
  CorrectionCounts counts;
  const LayerSolution layer = CorrectGiven(data.statistics, data.weight, mask, {}, counts);
  EXPECT_EQ(counts.limited, 0);
  EXPECT_EQ(counts.flat, 0);
  EXPECT_EQ(layer.mask, mask);
  EXPECT_EQ(CountZeros(layer.weight), mask.CountPruned());
  const NaiveMoments targets = MomentsOf(RowsOf(data.inputs), RowsOf(data.targets));
  const auto moments = OutputMoments(data, layer);
  double loss = 0;
  for (size_t row = 0; row < 5; ++row) {
    const auto variance = static_cast<double>(targets.target_variance[row]);
    EXPECT_NEAR(moments[row].first, static_cast<double>(targets.target_mean[row]), 1e-4);
    EXPECT_NEAR(moments[row].second, variance, 1e-4 * variance);
    for (int64_t n = 0; n < 300; ++n) {
      double error = double{layer.bias[static_cast<int64_t>(row)]} -
                     data.targets[n * 5 + static_cast<int64_t>(row)];
      for (int64_t c = 0; c < 12; ++c) {
        error += double{layer.weight[static_cast<int64_t>(row) * 12 + c]} * data.inputs[n * 12 + c];
      }
      loss += error * error / 300;
    }
  }
  EXPECT_NEAR(layer.loss, loss, 1e-3 * loss);
}

TEST(StatisticsCorrection, FollowsASolver) {
  const LinearCase data(4, 10, 300, 5);
  LayerSolution layer =
      SolveLeastSquares(data.statistics, data.weight, RandomMask({4, 10}, 0.5, 2));
  const double before = layer.loss;
  CorrectStatistics(data.statistics, {}, layer);
  EXPECT_GT(layer.loss, before);  // least squares was the smallest
  const NaiveMoments targets = MomentsOf(RowsOf(data.inputs), RowsOf(data.targets));
  for (size_t row = 0; row < 4; ++row) {
    const auto variance = static_cast<double>(targets.target_variance[row]);
    EXPECT_NEAR(OutputMoments(data, layer)[row].second, variance, 1e-4 * variance);
  }
}

TEST(StatisticsCorrection, LimitsTheFactorAndLeavesFlatRows) {
  LinearCase data(4, 6, 200, 7);
  Tensor weight = data.weight;
  for (int64_t c = 0; c < 6; ++c) {
    weight[c] *= 0.01F;      // would need a factor of about 100
    weight[6 + c] *= 100.F;  // and 0.01
    weight[12 + c] = 0;      // has no signal at all
  }
  for (int64_t n = 0; n < 200; ++n) data.targets[n * 4 + 3] = 2.5F;  // the dense output is constant
  LayerStatistics statistics(LinearNode(), LinearLayer(4, 6));
  statistics.Add(data.inputs, data.targets);
  CorrectionCounts counts;
  const LayerSolution layer = CorrectGiven(statistics, weight, Mask({4, 6}), {}, counts);
  EXPECT_EQ(counts.limited, 2);
  EXPECT_EQ(counts.flat, 2);
  for (int64_t c = 0; c < 6; ++c) {
    EXPECT_FLOAT_EQ(layer.weight[c], 4 * weight[c]);
    EXPECT_FLOAT_EQ(layer.weight[6 + c], 0.25F * weight[6 + c]);
    EXPECT_EQ(layer.weight[12 + c], 0);
    EXPECT_EQ(layer.weight[18 + c], weight[18 + c]);
  }
  const NaiveMoments targets = MomentsOf(RowsOf(data.inputs), RowsOf(data.targets));
  const auto moments = OutputMoments(data, layer);
  for (size_t row = 0; row < 4; ++row) {
    EXPECT_NEAR(moments[row].first, static_cast<double>(targets.target_mean[row]), 2e-3);
  }
}

}  // namespace
}  // namespace sparsify
