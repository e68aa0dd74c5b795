#include <gmock/gmock.h>

#include <algorithm>

#include "reconstruction/second_order/sparse_gpt.h"
#include "second_order_support.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)

constexpr double kDamping = 0.01;

SparseGptOptions Plain(double sparsity) {
  SparseGptOptions options;
  options.sparsity = sparsity;
  return options;
}

// Column j onwards: w, corrected by the inverse of H restricted to these columns.
void RemoveAndCorrect(const NaiveRow& problem, size_t j, Row& w) {
  Rows h;
  for (size_t i = j; i < w.size(); ++i) {
    h.emplace_back(problem.h[i].begin() + static_cast<std::ptrdiff_t>(j), problem.h[i].end());
  }
  Row unit(h.size(), 0);
  unit[0] = 1;
  const Row inverse_column = Solve(h, unit);
  const Real factor = w[j] / inverse_column[0];
  for (size_t i = j; i < w.size(); ++i) w[i] -= factor * inverse_column[i - j];
  w[j] = 0;
}

Row DenseRow(const NaiveRow& problem) {
  return problem.Best(std::vector<bool>(problem.t.size(), true));
}

TEST(SparseGpt, AGivenMaskGivesTheSequentialSurgeonUpdates) {
  const LinearCase data(4, 11, 300, 8);
  const Mask mask = RandomMask({4, 11}, 0.5, 2);
  for (const int64_t block : {1, 3, 128}) {  // lazy updates do not change the result
    SparseGptOptions options = Plain(0.5);
    options.given_mask = &mask;
    options.block_columns = block;
    const LayerSolution solution = PruneSparseGpt(data.statistics, data.weight, options);
    EXPECT_EQ(solution.mask, mask);
    for (int64_t row = 0; row < 4; ++row) {
      const NaiveRow problem = RowProblem(data, row, kDamping);
      Row w = DenseRow(problem);
      for (size_t j = 0; j < 11; ++j) {
        if (!mask[row * 11 + static_cast<int64_t>(j)]) RemoveAndCorrect(problem, j, w);
      }
      for (int64_t c = 0; c < 11; ++c) {
        EXPECT_NEAR(solution.weight[row * 11 + c], static_cast<double>(w[At(c)]), 2e-4);
      }
    }
  }
}

TEST(SparseGpt, NmChoosesWhenTheSweepReachesASet) {
  const LinearCase data(3, 10, 300, 18);
  SparseGptOptions options = Plain(0);
  options.pattern = Nm(2, 4);
  options.block_columns = 6;
  const LayerSolution solution = PruneSparseGpt(data.statistics, data.weight, options);
  for (int64_t row = 0; row < 3; ++row) {
    const NaiveRow problem = RowProblem(data, row, kDamping);
    Row w = DenseRow(problem);
    std::vector<bool> keep(10, true);
    for (size_t first : {0U, 4U, 8U}) {
      const size_t end = std::min<size_t>(first + 4, 10);
      std::vector<std::pair<Real, size_t>> scores;
      for (size_t c = first; c < end; ++c) {
        Rows h;
        for (size_t i = c; i < 10; ++i) {
          h.emplace_back(problem.h[i].begin() + static_cast<std::ptrdiff_t>(c), problem.h[i].end());
        }
        Row unit(h.size(), 0);
        unit[0] = 1;
        scores.emplace_back(w[c] * w[c] / Solve(h, unit)[0], c);
      }
      std::sort(scores.begin(), scores.end());
      for (size_t i = 0; i + 2 < scores.size(); ++i) keep[scores[i].second] = false;
      for (size_t c = first; c < end; ++c) {
        if (!keep[c]) RemoveAndCorrect(problem, c, w);
      }
    }
    EXPECT_EQ(RowOfMask(solution.mask, row), keep);
    for (int64_t c = 0; c < 10; ++c) {
      EXPECT_NEAR(solution.weight[row * 10 + c], static_cast<double>(w[At(c)]), 2e-4);
    }
  }
}

TEST(SparseGpt, CountsAreExactWhateverTheBlock) {
  const LinearCase data(5, 30, 200, 3);
  for (const int64_t block : {1, 7, 30, 128}) {
    for (const double sparsity : {0.0, 0.13, 0.5, 0.9, 1.0}) {
      SparseGptOptions options = Plain(sparsity);
      options.block_columns = block;
      const LayerSolution solution = PruneSparseGpt(data.statistics, data.weight, options);
      EXPECT_EQ(solution.mask.CountPruned(), PruneCount(150, sparsity)) << block << sparsity;
      EXPECT_EQ(CountZeros(solution.weight), solution.mask.CountPruned());
    }
  }
}

TEST(SparseGpt, CountsAreExactOverAllGroups) {
  const LayerStatistics statistics =
      DepthwiseStatistics(RandomTensor({4, 5, 6, 6}, 1), RandomTensor({4, 5, 6, 6}, 2));
  const Tensor weight = RandomTensor({5, 1, 3, 3}, 3);
  for (const double sparsity : {0.2, 0.5, 0.75}) {
    EXPECT_EQ(PruneSparseGpt(statistics, weight, Plain(sparsity)).mask.CountPruned(),
              PruneCount(45, sparsity));
  }
}

TEST(SparseGpt, OneBlockChoosesTheLowestScoresOfAllRows) {
  const LinearCase data(3, 6, 200, 13);
  const LayerSolution solution = PruneSparseGpt(data.statistics, data.weight, Plain(0.5));
  std::vector<double> scores;
  for (int64_t row = 0; row < 3; ++row) {
    const NaiveRow problem = RowProblem(data, row, kDamping);
    const Row w = DenseRow(problem);
    for (size_t c = 0; c < 6; ++c) {
      Rows h;
      for (size_t i = c; i < 6; ++i) {
        h.emplace_back(problem.h[i].begin() + static_cast<std::ptrdiff_t>(c), problem.h[i].end());
      }
      Row unit(h.size(), 0);
      unit[0] = 1;
      scores.push_back(static_cast<double>(w[c] * w[c] / Solve(h, unit)[0]));
    }
  }
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 18; ++i) EXPECT_EQ(solution.mask[i], scores[At(i)] > sorted[8]) << i;
}

TEST(SparseGpt, BlocksGoTogether) {
  const LinearCase data(4, 12, 200, 14);
  SparseGptOptions options = Plain(0.5);
  options.pattern = Block(2, 4);
  const LayerSolution solution = PruneSparseGpt(data.statistics, data.weight, options);
  EXPECT_EQ(solution.mask.CountPruned(), 24);
  for (int64_t i = 0; i < 48; ++i) {
    const int64_t corner = i / 12 / 2 * 2 * 12 + i % 12 / 4 * 4;
    EXPECT_EQ(solution.mask[i], solution.mask[corner]);
  }
}

TEST(SparseGpt, RefitIsNoWorseAndScoringLeavesTheWeights) {
  const LinearCase data(6, 40, 400, 15);
  SparseGptOptions options = Plain(0.6);
  options.least_squares.damping = 1e-4;
  const LayerSolution sweep = PruneSparseGpt(data.statistics, data.weight, options);
  options.refit = true;
  const LayerSolution refit = PruneSparseGpt(data.statistics, data.weight, options);
  options.refit = false;
  options.score_only = true;
  const LayerSolution scored = PruneSparseGpt(data.statistics, data.weight, options);
  EXPECT_EQ(sweep.mask, refit.mask);
  EXPECT_EQ(sweep.mask, scored.mask);
  EXPECT_LE(refit.loss, sweep.loss * (1 + 1e-6));
  EXPECT_LT(sweep.loss, scored.loss);
  Tensor masked = data.weight;
  ApplyMask(sweep.mask, masked);
  for (int64_t i = 0; i < masked.size(); ++i) EXPECT_EQ(scored.weight[i], masked[i]);
}

TEST(SparseGpt, BadInputNamesTheLayer) {
  const LinearCase data(2, 4, 50, 1);
  SparseGptOptions options = Plain(0.5);
  options.block_columns = 0;
  EXPECT_EQ(MessageOf([&] { PruneSparseGpt(data.statistics, data.weight, options); }),
            "fc: block_columns 0 must be positive");
  options = Plain(0.5);
  options.score_only = options.refit = true;
  EXPECT_EQ(MessageOf([&] { PruneSparseGpt(data.statistics, data.weight, options); }),
            "fc: score_only and refit exclude each other");
  EXPECT_EQ(MessageOf([&] { PruneSparseGpt(data.statistics, data.weight, Plain(-0.1)); }),
            "fc: sparsity -0.1 is outside 0 … 1; give a fraction, not percent");
}

}  // namespace
}  // namespace sparsify
