#include "reconstruction/damping_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "second_order_support.h"
#include "sparsity/base/log.h"
#include "tests/reconstruction/layer_repair_support.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)

constexpr int64_t kRows = 6;
constexpr int64_t kColumns = 20;

// A linear layer seen on few samples (one an image) of which every eighth is held back. Targets
// are the dense weights' outputs and noise, inputs resemble their neighbours, so that those that
// stay can stand in for the others: the fewer the samples, the more damping is right.
struct Case {
  explicit Case(int64_t samples, double noise = 1)
      : inputs(RandomTensor({samples, kColumns}, 1, 1.0)),
        targets(RandomTensor({samples, kRows}, 2)),
        dense(RandomTensor({kRows, kColumns}, 3)),
        mask(RandomMask(dense.shape(), 0.5, 4)),
        statistics(LinearNode(), LinearLayer(kRows, kColumns), {.hold_back = true}) {
    for (int64_t n = 0; n < samples; ++n) {
      for (int64_t c = 1; c < kColumns; ++c) {
        inputs[n * kColumns + c] += 0.9F * inputs[n * kColumns + c - 1];
      }
      for (int64_t r = 0; r < kRows; ++r) {
        double y = noise * targets[n * kRows + r];
        for (int64_t c = 0; c < kColumns; ++c) {
          y += double{dense[r * kColumns + c]} * inputs[n * kColumns + c];
        }
        targets[n * kRows + r] = static_cast<float>(y);
      }
    }
    statistics.Add(inputs, targets);
  }

  DampingChoice Search(double first, LayerMethod method = LayerMethod::kLeastSquares) const {
    LayerRepairOptions options = Quiet(method);
    options.damping = first;
    return SearchDamping(statistics, dense, mask, options);
  }

  // Ridge regression on the mask by Gauss-Jordan, judged sample by sample.
  double NaiveLoss(double damping) const {
    std::array<Rows, 2> x;
    std::array<Rows, 2> y;
    const Rows all_x = RowsOf(inputs);
    const Rows all_y = RowsOf(targets);
    for (size_t n = 0; n < all_x.size(); ++n) {
      x.at(n % 8 == 7 ? 1 : 0).push_back(all_x[n]);
      y.at(n % 8 == 7 ? 1 : 0).push_back(all_y[n]);
    }
    const NaiveMoments m = MomentsOf(x[0], y[0]);
    const NaiveMoments held = MomentsOf(x[1], y[1]);
    Real lambda = 0;
    for (size_t c = 0; c < m.input_mean.size(); ++c) lambda += damping * m.covariance[c][c];
    lambda /= kColumns;
    Real loss = 0;
    Real variance = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      NaiveRow row{m.covariance, m.cross[At(r)]};
      for (int64_t c = 0; c < kColumns; ++c) {
        row.h[At(c)][At(c)] += lambda;
        row.t[At(c)] += lambda * dense[r * kColumns + c];
      }
      const Row w = row.Best(RowOfMask(mask, r));
      for (size_t n = 0; n < x[1].size(); ++n) {
        Real error = y[1][n][At(r)] - m.target_mean[At(r)];
        for (size_t c = 0; c < w.size(); ++c) error -= w[c] * (x[1][n][c] - m.input_mean[c]);
        loss += error * error / static_cast<Real>(x[1].size());
      }
      variance += held.target_variance[At(r)];
    }
    return static_cast<double>(loss / variance);
  }

  Tensor inputs, targets, dense;
  Mask mask;
  LayerStatistics statistics;
};

TEST(DampingSearch, LossesAreThoseOfRidgeRegressionOnTheImagesHeldBack) {
  const Case data(48);
  for (const double first : {0.001, 0.1, 3.0}) {
    const DampingChoice choice = data.Search(first);
    ASSERT_GE(choice.trials.size(), 2U);
    EXPECT_NEAR(choice.trials.front().damping, first, 1e-12);
    for (const DampingTrial& trial : choice.trials) {
      EXPECT_NEAR(trial.loss, data.NaiveLoss(trial.damping), 1e-5) << trial.damping;
    }
  }
}

TEST(DampingSearch, EndsWhereNeitherNeighbourIsBetter) {
  for (const int64_t samples : {40, 80, 400}) {
    const Case data(samples);
    for (const double first : {0.001, 0.1, 3.0}) {
      const double chosen = data.Search(first).damping;
      if (chosen < 5) {
        EXPECT_GE(data.NaiveLoss(chosen * std::sqrt(10)), data.NaiveLoss(chosen)) << samples;
      }
      if (chosen > 2e-4) {
        EXPECT_GE(data.NaiveLoss(chosen / std::sqrt(10)), data.NaiveLoss(chosen)) << samples;
      }
    }
  }
}

TEST(DampingSearch, FewSamplesWantMore) {
  EXPECT_GT(Case(40).Search(0.03).damping, 3 * Case(4000).Search(0.03).damping);
}

TEST(DampingSearch, StaysWithinItsBounds) {
  // Without noise no pull is right; with nothing but noise, any.
  EXPECT_GE(Case(4000, 0).Search(0.001).damping, 1e-4 / 1.02);
  EXPECT_LE(Case(24, 1000).Search(3).damping, 10 * 1.02);
  const DampingChoice far = Case(48).Search(1e6);
  EXPECT_EQ(far.trials.front().damping, 10);
}

TEST(DampingSearch, NothingHeldBackOrConstantTargetsLeaveTheDamping) {
  const Case few(7);
  EXPECT_EQ(few.Search(0.02).damping, 0.02);
  EXPECT_TRUE(few.Search(0.02).trials.empty());

  LayerStatistics constant(LinearNode(), LinearLayer(kRows, kColumns), {.hold_back = true});
  constant.Add(RandomTensor({16, kColumns}, 1), Tensor(Shape{16, kRows}));
  LayerRepairOptions options = Quiet();
  options.damping = 0.02;
  const Tensor dense = RandomTensor({kRows, kColumns}, 3);
  EXPECT_EQ(SearchDamping(constant, dense, Mask(dense.shape()), options).damping, 0.02);
}

TEST(DampingSearch, EveryMethodThatSolvesIsTried) {
  const Case data(48);
  for (const LayerMethod method :
       {LayerMethod::kObs, LayerMethod::kSparseGpt, LayerMethod::kWanda}) {
    const DampingChoice choice = data.Search(0.1, method);
    ASSERT_GE(choice.trials.size(), 2U) << LayerMethodName(method);
    for (const DampingTrial& trial : choice.trials) {
      EXPECT_GT(trial.loss, 0);
      EXPECT_LT(trial.loss, 2);
    }
  }
}

// A layer too large for exact OBS is tried as it will be solved.
TEST(DampingSearch, FallsBackToSparseGptAsTheLayerDoes) {
  const Case data(48);
  LayerRepairOptions options = Quiet(LayerMethod::kObs);
  options.damping = 0.1;
  options.obs_operations = 1;
  const LogCapture log;
  const DampingChoice choice = SearchDamping(data.statistics, data.dense, data.mask, options);
  const DampingChoice swept = data.Search(0.1, LayerMethod::kSparseGpt);
  ASSERT_EQ(choice.trials.size(), swept.trials.size());
  for (size_t k = 0; k < swept.trials.size(); ++k) {
    EXPECT_EQ(choice.trials[k].loss, swept.trials[k].loss);
  }
  EXPECT_FALSE(log.Contains("warning"));
}

// Of 200 outputs 64 are solved; the same sums as for these alone.
TEST(DampingSearch, ManyOutputsAreSampledEvenly) {
  constexpr int64_t kMany = 200;
  const Tensor inputs = RandomTensor({64, kColumns}, 1);
  const Tensor targets = RandomTensor({64, kMany}, 2);
  const Tensor dense = RandomTensor({kMany, kColumns}, 3);
  const Mask mask = RandomMask(dense.shape(), 0.5, 4);
  LayerStatistics all(LinearNode(), LinearLayer(kMany, kColumns), {.hold_back = true});
  all.Add(inputs, targets);
  LayerStatistics some(LinearNode(), LinearLayer(64, kColumns), {.hold_back = true});
  Tensor some_targets(Shape{64, 64});
  Tensor some_dense(Shape{64, kColumns});
  Mask some_mask(some_dense.shape());
  for (int64_t k = 0; k < 64; ++k) {
    const int64_t row = k * kMany / 64;
    for (int64_t n = 0; n < 64; ++n) some_targets[n * 64 + k] = targets[n * kMany + row];
    for (int64_t c = 0; c < kColumns; ++c) {
      some_dense[k * kColumns + c] = dense[row * kColumns + c];
      some_mask.Set(k * kColumns + c, mask[row * kColumns + c]);
    }
  }
  some.Add(inputs, some_targets);
  const DampingChoice expected = SearchDamping(some, some_dense, some_mask, Quiet());
  const DampingChoice actual = SearchDamping(all, dense, mask, Quiet());
  ASSERT_EQ(actual.trials.size(), expected.trials.size());
  for (size_t k = 0; k < expected.trials.size(); ++k) {
    EXPECT_NEAR(actual.trials[k].loss, expected.trials[k].loss, 1e-6);
  }
}

}  // namespace
}  // namespace sparsify
