#include "reconstruction/damping_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

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
  const double least = Case(4000, 0).Search(1).damping;
  EXPECT_GE(least, 1e-4 / 1.02);
  EXPECT_LT(least, 1);
  const double most = Case(24, 1000).Search(0.1).damping;
  EXPECT_LE(most, 10 * 1.02);
  EXPECT_GT(most, 0.1);
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
  std::set<double> first = {data.Search(0.1).trials[0].loss};
  for (const LayerMethod method :
       {LayerMethod::kObs, LayerMethod::kAdmm, LayerMethod::kSparseGpt, LayerMethod::kWanda}) {
    const DampingChoice choice = data.Search(0.1, method);
    ASSERT_GE(choice.trials.size(), 2U) << LayerMethodName(method);
    for (const DampingTrial& trial : choice.trials) {
      EXPECT_GT(trial.loss, 0);
      EXPECT_LT(trial.loss, 2);
    }
    // Its own masks, not the one given nor another method's.
    EXPECT_TRUE(first.insert(choice.trials[0].loss).second) << LayerMethodName(method);
  }
}

// A layer too large for exact OBS is tried as it will be solved.
TEST(DampingSearch, FallsBackToAdmmAsTheLayerDoes) {
  const Case data(48);
  LayerRepairOptions options = Quiet(LayerMethod::kObs);
  options.damping = 0.1;
  options.obs_operations = 1;
  const LogCapture log;
  const DampingChoice choice = SearchDamping(data.statistics, data.dense, data.mask, options);
  const DampingChoice swept = data.Search(0.1, LayerMethod::kAdmm);
  ASSERT_EQ(choice.trials.size(), swept.trials.size());
  for (size_t k = 0; k < swept.trials.size(); ++k) {
    EXPECT_EQ(choice.trials[k].loss, swept.trials[k].loss);
  }
  EXPECT_FALSE(log.Contains("warning"));
}

// Every second weight goes: whatever rows are taken, half of them.
Mask HalfMask(const Shape& shape) {
  Mask mask(shape);
  for (int64_t i = 0; i < mask.size(); i += 2) mask.Set(i, false);
  return mask;
}

// Of 200 outputs 64 are solved, in bands of those that are pruned together; the same sums as for
// these alone.
void ExpectSampledEvenly(const LayerRepairOptions& options) {
  constexpr int64_t kMany = 200;
  constexpr int64_t kSome = 64;
  const int64_t band = options.pattern.RowsTogether();
  const Tensor inputs = RandomTensor({64, kColumns}, 1);
  const Tensor targets = RandomTensor({64, kMany}, 2);
  const Tensor dense = RandomTensor({kMany, kColumns}, 3);
  LayerStatistics all(LinearNode(), LinearLayer(kMany, kColumns), {.hold_back = true});
  all.Add(inputs, targets);
  LayerStatistics some(LinearNode(), LinearLayer(kSome, kColumns), {.hold_back = true});
  Tensor some_targets(Shape{64, kSome});
  Tensor some_dense(Shape{kSome, kColumns});
  for (int64_t k = 0; k < kSome; ++k) {
    const int64_t row = k / band * (kMany / band) / (kSome / band) * band + k % band;
    for (int64_t n = 0; n < 64; ++n) some_targets[n * kSome + k] = targets[n * kMany + row];
    for (int64_t c = 0; c < kColumns; ++c) {
      some_dense[k * kColumns + c] = dense[row * kColumns + c];
    }
  }
  some.Add(inputs, some_targets);
  const auto expected = SearchDamping(some, some_dense, HalfMask(some_dense.shape()), options);
  const auto actual = SearchDamping(all, dense, HalfMask(dense.shape()), options);
  ASSERT_GE(expected.trials.size(), 2U);
  ASSERT_EQ(actual.trials.size(), expected.trials.size());
  for (size_t k = 0; k < expected.trials.size(); ++k) {
    EXPECT_NEAR(actual.trials[k].loss, expected.trials[k].loss, 1e-6);
  }
}

TEST(DampingSearch, ManyOutputsAreSampledEvenly) { ExpectSampledEvenly(Quiet()); }

TEST(DampingSearch, BlocksOfOutputsAreSampledWhole) {
  LayerRepairOptions options = Quiet(LayerMethod::kObs);
  options.pattern.kind = PruneKind::kBlock;
  options.pattern.block_outputs = 4;
  options.pattern.block_inputs = 2;
  ExpectSampledEvenly(options);
}

TEST(DampingSearch, NmPatternsAreTried) {
  LayerRepairOptions options = Quiet(LayerMethod::kObs);
  options.pattern.kind = PruneKind::kNM;
  options.pattern.n = 2;
  options.pattern.m = 4;
  ExpectSampledEvenly(options);
}

// A method that chooses its masks is tried at the sparsity of the whole layer, however the
// magnitudes of the rows that are tried are spread.
TEST(DampingSearch, TheSparsityIsThatOfTheWholeLayer) {
  const Case data(48);
  Mask rows(data.dense.shape());  // the same share, from half of the rows alone
  for (int64_t i = 0; i < rows.size() / 2; ++i) rows.Set(i, false);
  LayerRepairOptions options = Quiet(LayerMethod::kWanda);
  const auto by_rows = SearchDamping(data.statistics, data.dense, rows, options);
  const auto even = SearchDamping(data.statistics, data.dense, HalfMask(rows.shape()), options);
  ASSERT_EQ(by_rows.trials.size(), even.trials.size());
  for (size_t k = 0; k < even.trials.size(); ++k) {
    EXPECT_EQ(by_rows.trials[k].loss, even.trials[k].loss);
  }
}

// Groups are solved apart, and their losses summed.
TEST(DampingSearch, GroupsCountTogether) {
  constexpr int64_t kSamples = 48;
  constexpr int64_t kGroups = 3;
  Node node;
  node.name = "conv";
  node.type = OpType::kConv;
  node.attributes.Set("group", kGroups);
  node.attributes.Set("kernel_shape", std::vector<int64_t>{1, 1});
  Layer layer;
  layer.name = "conv";
  layer.groups = kGroups;
  layer.weight_shape = {kGroups * kRows, kColumns, 1, 1};
  const Tensor inputs = RandomTensor({kSamples, kGroups * kColumns, 1, 1}, 1);
  const Tensor targets = RandomTensor({kSamples, kGroups * kRows, 1, 1}, 2);
  const Tensor dense = RandomTensor(layer.weight_shape, 3);
  const Mask mask = HalfMask(dense.shape());
  LayerStatistics all(node, layer, {.hold_back = true});
  all.Add(inputs, targets);
  double loss = 0;
  double variance = 0;
  for (int64_t g = 0; g < kGroups; ++g) {
    Tensor x(Shape{kSamples, kColumns});
    Tensor y(Shape{kSamples, kRows});
    Tensor w(Shape{kRows, kColumns});
    for (int64_t n = 0; n < kSamples; ++n) {
      for (int64_t c = 0; c < kColumns; ++c) {
        x[n * kColumns + c] = inputs[(n * kGroups + g) * kColumns + c];
      }
      for (int64_t r = 0; r < kRows; ++r) {
        y[n * kRows + r] = targets[(n * kGroups + g) * kRows + r];
      }
    }
    for (int64_t i = 0; i < w.size(); ++i) w[i] = dense[g * w.size() + i];
    LayerStatistics one(LinearNode(), LinearLayer(kRows, kColumns), {.hold_back = true});
    one.Add(x, y);
    double of_group = 0;
    for (const double v :
         one.Part(ImagePart::kHeldBack, {0, 1, 2, 3, 4, 5}).GroupMoments(0).target_variance) {
      of_group += v;
    }
    loss += of_group * SearchDamping(one, w, HalfMask(w.shape()), Quiet()).trials[0].loss;
    variance += of_group;
  }
  const DampingChoice choice = SearchDamping(all, dense, mask, Quiet());
  EXPECT_NEAR(choice.trials[0].loss, loss / variance, 1e-6);
}

}  // namespace
}  // namespace sparsify
