#include <gmock/gmock.h>

#include <limits>

#include "reconstruction/second_order/least_squares.h"
#include "second_order_support.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

LeastSquaresOptions With(LeastSquaresSolver solver) {
  LeastSquaresOptions options;
  options.solver = solver;
  options.tolerance = 1e-8;
  return options;
}

class Solvers : public ::testing::TestWithParam<LeastSquaresSolver> {};

TEST_P(Solvers, EqualTheNormalEquationsOnTheSupport) {
  const LinearCase data(4, 9, 300, 11);
  const Mask mask = RandomMask({4, 9}, 0.5, 3);
  const LayerSolution solution =
      SolveLeastSquares(data.statistics, data.weight, mask, With(GetParam()));
  const NaiveMoments moments = MomentsOf(RowsOf(data.inputs), RowsOf(data.targets));
  EXPECT_EQ(solution.mask, mask);
  EXPECT_TRUE(solution.converged);
  Real loss = 0;
  for (int64_t row = 0; row < 4; ++row) {
    const NaiveRow problem = RowProblem(data, row, 0.01);
    const Row w = problem.Best(RowOfMask(mask, row));
    Real bias = moments.target_mean[At(row)];
    for (int64_t c = 0; c < 9; ++c) {
      EXPECT_NEAR(solution.weight[row * 9 + c], static_cast<double>(w[At(c)]), 2e-4) << row << c;
      if (!mask[row * 9 + c]) {
        EXPECT_EQ(solution.weight[row * 9 + c], 0.0F);
      }
      bias -= w[At(c)] * moments.input_mean[At(c)];
    }
    EXPECT_NEAR(solution.bias[row], static_cast<double>(bias), 1e-3);
    loss += RowProblem(data, row, 0).Loss(w);
  }
  EXPECT_NEAR(solution.loss, static_cast<double>(loss), 1e-3 * static_cast<double>(loss));
}

INSTANTIATE_TEST_SUITE_P(All, Solvers,
                         ::testing::Values(LeastSquaresSolver::kAuto, LeastSquaresSolver::kCholesky,
                                           LeastSquaresSolver::kInverse,
                                           LeastSquaresSolver::kConjugateGradients));

TEST(LeastSquares, SolversAgreeOnManyColumnsAndReportConvergence) {
  const LinearCase data(6, 160, 500, 5);
  const Mask mask = RandomMask({6, 160}, 0.6, 4);
  const auto cholesky =
      SolveLeastSquares(data.statistics, data.weight, mask, With(LeastSquaresSolver::kCholesky));
  const auto inverse =
      SolveLeastSquares(data.statistics, data.weight, mask, With(LeastSquaresSolver::kInverse));
  const auto gradients = SolveLeastSquares(data.statistics, data.weight, mask,
                                           With(LeastSquaresSolver::kConjugateGradients));
  EXPECT_EQ(cholesky.iterations, 0);
  EXPECT_GT(gradients.iterations, 3);
  EXPECT_LE(gradients.residual, 1e-8);
  for (int64_t i = 0; i < mask.size(); ++i) {
    EXPECT_NEAR(cholesky.weight[i], gradients.weight[i], 1e-5);
    EXPECT_NEAR(cholesky.weight[i], inverse.weight[i], 1e-6);
  }
  LeastSquaresOptions from_solution = With(LeastSquaresSolver::kConjugateGradients);
  from_solution.start = &cholesky.weight;
  const auto again = SolveLeastSquares(data.statistics, data.weight, mask, from_solution);
  EXPECT_LT(again.iterations, gradients.iterations / 2);
  for (int64_t i = 0; i < mask.size(); ++i) {
    EXPECT_NEAR(cholesky.weight[i], again.weight[i], 1e-5);
  }
  Tensor wrong({6, 159});
  from_solution.start = &wrong;
  EXPECT_EQ(
      MessageOf([&] { SolveLeastSquares(data.statistics, data.weight, mask, from_solution); }),
      "fc: weight has shape [6,159], the statistics are for [6,160]");
  LeastSquaresOptions short_run = With(LeastSquaresSolver::kConjugateGradients);
  short_run.max_iterations = 2;
  LogCapture log;
  const auto stopped = SolveLeastSquares(data.statistics, data.weight, mask, short_run);
  EXPECT_FALSE(stopped.converged);
  EXPECT_GT(stopped.residual, 1e-8);
  EXPECT_TRUE(log.Contains("fc: least squares stopped after 2 iterations"));
}

TEST(LeastSquares, WithNothingPrunedEverySolverFindsTheOptimum) {
  const LinearCase data(3, 12, 200, 21);
  const Mask all({3, 12});
  const auto cholesky =
      SolveLeastSquares(data.statistics, data.weight, all, With(LeastSquaresSolver::kCholesky));
  const auto inverse =
      SolveLeastSquares(data.statistics, data.weight, all, With(LeastSquaresSolver::kInverse));
  for (int64_t i = 0; i < all.size(); ++i) {
    EXPECT_NEAR(cholesky.weight[i], inverse.weight[i], 1e-6);
  }
}

TEST(LeastSquares, BeatsTheMaskedWeightsAndLosesWithFewerWeights) {
  const LinearCase data(3, 24, 400, 9);
  const Mask all({3, 24});
  double previous = SolveLeastSquares(data.statistics, data.weight, all).loss;
  Mask mask = all;
  for (int64_t c = 0; c < 24; c += 3) {
    for (int64_t row = 0; row < 3; ++row) mask.Set(row * 24 + c, false);
    LeastSquaresOptions options;
    options.damping = 1e-6;
    const double loss = SolveLeastSquares(data.statistics, data.weight, mask, options).loss;
    EXPECT_GE(loss, previous * (1 - 1e-3));
    previous = loss;
    Tensor masked = data.weight;
    ApplyMask(mask, masked);
    Real plain = 0;
    for (int64_t row = 0; row < 3; ++row) {
      Row w;
      for (int64_t i = 0; i < 24; ++i) w.push_back(masked[row * 24 + i]);
      plain += RowProblem(data, row, 0).Loss(w);
    }
    EXPECT_LT(loss, static_cast<double>(plain));
  }
}

TEST(LeastSquares, EmptyRowsAndConstantInputsAreSensible) {
  LinearCase data(2, 3, 50, 1);
  const Mask none({2, 3}, false);
  const LayerSolution empty = SolveLeastSquares(data.statistics, data.weight, none);
  EXPECT_EQ(CountZeros(empty.weight), 6);
  EXPECT_NEAR(empty.loss, empty.target_variance, 1e-9);
  Tensor constant({50, 3});
  constant.Fill(2.0F);
  LayerStatistics statistics(LinearNode(), LinearLayer(2, 3));
  statistics.Add(constant, data.targets);
  const LayerSolution kept = SolveLeastSquares(statistics, data.weight, Mask({2, 3}));
  for (int64_t i = 0; i < 6; ++i) EXPECT_NEAR(kept.weight[i], data.weight[i], 1e-6);
}

TEST(LeastSquares, AFailedFactorRaisesTheDampingAndSaysSo) {
  Tensor inputs = RandomTensor({40, 4}, 3);
  for (int64_t n = 0; n < 40; ++n) inputs[n * 4 + 2] = 0;  // a dead input: H is singular
  LayerStatistics statistics(LinearNode(), LinearLayer(1, 4));
  statistics.Add(inputs, RandomTensor({40, 1}, 4));
  LeastSquaresOptions options = With(LeastSquaresSolver::kCholesky);
  options.damping = 0;
  LogCapture log;
  const Tensor weight = RandomTensor({1, 4}, 5);
  const LayerSolution solution = SolveLeastSquares(statistics, weight, Mask({1, 4}), options);
  EXPECT_EQ(solution.damping_raises, 1);
  EXPECT_EQ(solution.damping, 1e-4);
  EXPECT_NEAR(solution.weight[2], weight[2], 1e-5);  // nothing known: the prior stays
  EXPECT_TRUE(log.Contains("fc: group 0: Cholesky factorisation failed with damping 0"));
}

TEST(LeastSquares, BadInputNamesTheLayer) {
  LinearCase data(2, 3, 50, 1);
  EXPECT_EQ(MessageOf([&] {
              SolveLeastSquares(data.statistics, data.weight, Mask({3, 2}));
            }),
            "fc: mask has shape [3,2], the weight [2,3]");
  EXPECT_EQ(MessageOf([&] {
              SolveLeastSquares(data.statistics, Tensor({2, 4}), Mask({2, 4}));
            }),
            "fc: weight has shape [2,4], the statistics are for [2,3]");
  Tensor bad = data.weight;
  bad[4] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(MessageOf([&] {
              SolveLeastSquares(data.statistics, bad, Mask({2, 3}));
            }),
            "fc: weight of shape [2,3] holds inf at flat index 4; repair the model first");
  LeastSquaresOptions options;
  options.damping = -1;
  EXPECT_THAT(MessageOf([&] {
                SolveLeastSquares(data.statistics, data.weight, Mask({2, 3}), options);
              }),
              HasSubstr("fc: damping -1 is outside 0 … 1e6"));
}

}  // namespace
}  // namespace sparsify
