#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "reconstruction/second_order/admm.h"
#include "reconstruction/second_order/obs.h"
#include "second_order_support.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

constexpr double kDamping = 0.01;

AdmmOptions With(double sparsity) {
  AdmmOptions options;
  options.sparsity = sparsity;
  return options;
}

// Textbook form: weights, copies and multipliers apart, every system solved by elimination, all
// rows in one projection. Returns the mask.
Mask NaiveAdmm(const LinearCase& data, const AdmmOptions& options) {
  const int64_t rows = data.weight.shape()[0];
  const int64_t columns = data.weight.shape()[1];
  std::vector<NaiveRow> problems;
  for (int64_t r = 0; r < rows; ++r) problems.push_back(RowProblem(data, r, kDamping));
  const Rows& h = problems[0].h;
  const auto root = [&](int64_t c) { return std::sqrt(h[At(c)][At(c)]); };
  Rows copies(At(rows), Row(At(columns)));
  Rows multipliers(At(rows), Row(At(columns), 0));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      copies[At(r)][At(c)] = data.weight[r * columns + c] * root(c);
    }
  }
  const int64_t uses = std::clamp<int64_t>(columns / (2 * rows), 1, 8);  // of a factor
  const Real growth = std::pow(static_cast<Real>(options.last_penalty / options.first_penalty),
                               static_cast<Real>(uses) / static_cast<Real>(options.iterations));
  Real penalty = options.first_penalty;
  Mask mask(data.weight.shape());
  for (int i = 0; i < options.iterations; ++i) {
    if (i > 0 && i % uses == 0) penalty *= growth;
    std::vector<std::pair<Real, int64_t>> order;
    Rows sums(At(rows), Row(At(columns)));  // weights + multipliers / ρ
    for (int64_t r = 0; r < rows; ++r) {
      Rows a = h;
      Row b(At(columns));
      for (int64_t p = 0; p < columns; ++p) {
        for (int64_t q = 0; q < columns; ++q) a[At(p)][At(q)] /= root(p) * root(q);
        a[At(p)][At(p)] += penalty;
        b[At(p)] = problems[At(r)].t[At(p)] / root(p) - multipliers[At(r)][At(p)] +
                   penalty * copies[At(r)][At(p)];
      }
      const Row weights = Solve(a, b);
      for (int64_t c = 0; c < columns; ++c) {
        sums[At(r)][At(c)] = weights[At(c)] + multipliers[At(r)][At(c)] / penalty;
        order.emplace_back(std::abs(sums[At(r)][At(c)]), r * columns + c);
        multipliers[At(r)][At(c)] += penalty * weights[At(c)];
      }
    }
    std::sort(order.begin(), order.end());
    const int64_t pruned = PruneCount(rows * columns, options.sparsity);
    for (int64_t k = 0; k < rows * columns; ++k) {
      const int64_t at = order[At(k)].second;
      const int64_t r = at / columns;
      const int64_t c = at % columns;
      mask.Set(at, k >= pruned);
      copies[At(r)][At(c)] = k < pruned ? 0 : sums[At(r)][At(c)];
      multipliers[At(r)][At(c)] -= penalty * copies[At(r)][At(c)];
    }
  }
  return mask;
}

TEST(Admm, FindsTheMaskOfTheTextbookForm) {
  for (uint64_t seed : {1, 20, 300, 4000}) {
    SCOPED_TRACE(seed);
    const int64_t rows = seed < 100 ? 6 : 2;  // with few rows factors are kept
    const LinearCase data(rows, 11, 200, seed);
    AdmmOptions options = With(0.6);
    options.iterations = 25;
    const LayerSolution solution = PruneAdmm(data.statistics, data.weight, options);
    EXPECT_EQ(solution.mask, NaiveAdmm(data, options));
    for (int64_t row = 0; row < rows; ++row) {
      const Row w = RowProblem(data, row, kDamping).Best(RowOfMask(solution.mask, row));
      for (int64_t c = 0; c < 11; ++c) {
        EXPECT_NEAR(solution.weight[row * 11 + c], static_cast<double>(w[At(c)]), 2e-4);
      }
    }
  }
}

// Loss of the best mask of one row that keeps so many.
Real BestOfAllMasks(const NaiveRow& row, int64_t kept) {
  Real best = std::numeric_limits<Real>::infinity();
  const size_t columns = row.t.size();
  for (unsigned bits = 0; bits < 1U << columns; ++bits) {
    std::vector<bool> keep;
    for (unsigned i = 0; i < columns; ++i) keep.push_back((bits >> i & 1U) != 0);
    if (std::count(keep.begin(), keep.end(), true) != kept) continue;
    best = std::min(best, row.Loss(row.Best(keep)));
  }
  return best;
}

TEST(Admm, IsCloseToTheBestOfAllMasks) {
  Real found = 0, best = 0, greedy = 0, magnitude = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const LinearCase data(1, 10, 200, seed * 7);
    const NaiveRow row = RowProblem(data, 0, kDamping);
    const Real of_all = BestOfAllMasks(row, 4);
    const auto loss = [&](const LayerSolution& solution) {
      EXPECT_EQ(solution.mask.CountKept(), 4);
      return row.Loss(row.Best(RowOfMask(solution.mask, 0)));
    };
    const Real now = loss(PruneAdmm(data.statistics, data.weight, With(0.6)));
    EXPECT_GE(static_cast<double>(now), static_cast<double>(of_all) - 1e-6);
    found += now;
    best += of_all;
    ObsOptions obs;
    obs.sparsity = 0.6;
    greedy += loss(PruneObs(data.statistics, data.weight, obs));
    std::vector<int64_t> order(10);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return std::abs(data.weight[a]) < std::abs(data.weight[b]);
    });
    Mask largest(data.weight.shape());
    for (int64_t i = 0; i < 6; ++i) largest.Set(order[At(i)], false);
    magnitude += row.Loss(row.Best(RowOfMask(largest, 0)));
  }
  EXPECT_LT(static_cast<double>(found), 1.1 * static_cast<double>(best));
  EXPECT_LT(static_cast<double>(found), static_cast<double>(greedy) * 1.02);
  EXPECT_LT(static_cast<double>(found), static_cast<double>(magnitude) * 0.8);
}

TEST(Admm, DiagonalHessianMakesItMagnitudeTimesInputDeviation) {
  // Two-level factorial design: columns ±a_c are exactly uncorrelated with zero mean.
  constexpr int64_t kColumns = 6;
  Tensor inputs({64, kColumns});
  const std::vector<float> scale = {0.1F, 2.0F, 0.5F, 1.0F, 4.0F, 0.25F};
  Tensor targets({64, 3});
  const Tensor weight = RandomTensor({3, kColumns}, 2);
  for (int64_t n = 0; n < 64; ++n) {
    for (int64_t c = 0; c < kColumns; ++c) {
      inputs[n * kColumns + c] = (n >> c & 1) != 0 ? scale[At(c)] : -scale[At(c)];
      for (int64_t r = 0; r < 3; ++r) {
        targets[n * 3 + r] += weight[r * kColumns + c] * inputs[n * kColumns + c];
      }
    }
  }
  LayerStatistics statistics(LinearNode(), LinearLayer(3, kColumns));
  statistics.Add(inputs, targets);
  AdmmOptions options = With(0.5);
  options.least_squares.damping = 0;
  const LayerSolution solution = PruneAdmm(statistics, weight, options);
  std::vector<std::pair<float, int64_t>> expected;
  for (int64_t i = 0; i < 3 * kColumns; ++i) {
    expected.emplace_back(std::abs(weight[i]) * scale[At(i % kColumns)], i);
  }
  std::sort(expected.begin(), expected.end());
  for (size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(solution.mask[expected[k].second], k >= 9) << k;
    EXPECT_NEAR(solution.weight[expected[k].second], k >= 9 ? weight[expected[k].second] : 0, 1e-4);
  }
}

TEST(Admm, NmKeepsNOfEachMAndBeatsTheLargestOfThem) {
  const LinearCase data(5, 10, 300, 30);
  AdmmOptions options = With(0);  // N:M patterns have their own sparsity
  options.pattern = Nm(2, 4);
  const LayerSolution solution = PruneAdmm(data.statistics, data.weight, options);
  Real found = 0, largest = 0;
  for (int64_t row = 0; row < 5; ++row) {
    const NaiveRow problem = RowProblem(data, row, kDamping);
    const std::vector<bool> keep = RowOfMask(solution.mask, row);
    std::vector<bool> by_magnitude(10, true);
    for (int64_t first : {0, 4}) {
      EXPECT_EQ(std::count(keep.begin() + first, keep.begin() + first + 4, true), 2);
      std::vector<int64_t> order = {first, first + 1, first + 2, first + 3};
      std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return std::abs(data.weight[row * 10 + a]) < std::abs(data.weight[row * 10 + b]);
      });
      by_magnitude[At(order[0])] = by_magnitude[At(order[1])] = false;
    }
    EXPECT_TRUE(keep[8] && keep[9]);  // the last group has two channels, both stay
    found += problem.Loss(problem.Best(keep));
    largest += problem.Loss(problem.Best(by_magnitude));
  }
  EXPECT_LT(static_cast<double>(found), static_cast<double>(largest));
}

TEST(Admm, BlocksOfSeveralRowsAreRemovedTogether) {
  const LinearCase data(5, 8, 200, 4);
  AdmmOptions options = With(0.5);
  options.pattern = Block(2, 3);
  const LayerSolution solution = PruneAdmm(data.statistics, data.weight, options);
  int64_t pruned = 0;  // of 3 bands of 3 blocks
  for (int64_t band = 0; band < 3; ++band) {
    for (int64_t first : {0, 3, 6}) {
      const bool kept = solution.mask[band * 16 + first];
      pruned += kept ? 0 : 1;
      for (int64_t row = 2 * band; row < std::min<int64_t>(2 * band + 2, 5); ++row) {
        for (int64_t c = first; c < std::min<int64_t>(first + 3, 8); ++c) {
          EXPECT_EQ(solution.mask[row * 8 + c], kept);
        }
      }
    }
  }
  EXPECT_EQ(pruned, PruneCount(9, 0.5));
}

TEST(Admm, ScaledRowsSpareRowsThatAreSmall) {
  LinearCase data(2, 10, 300, 21);
  for (int64_t n = 0; n < 300; ++n) data.targets[n * 2] *= 0.01F;
  for (int64_t c = 0; c < 10; ++c) data.weight[c] *= 0.01F;
  LayerStatistics statistics(LinearNode(), LinearLayer(2, 10));
  statistics.Add(data.inputs, data.targets);
  AdmmOptions options = With(0.5);
  const auto kept = [&] {
    const LayerSolution solution = PruneAdmm(statistics, data.weight, options);
    const std::vector<bool> keep = RowOfMask(solution.mask, 0);
    return std::count(keep.begin(), keep.end(), true);
  };
  EXPECT_EQ(kept(), 0);
  options.scale_rows = true;
  EXPECT_GE(kept(), 3);
}

TEST(Admm, GroupsOfAConvolutionShareOneAllocation) {
  Tensor targets = RandomTensor({4, 3, 6, 6}, 2);
  Tensor weight = RandomTensor({3, 1, 3, 3}, 3);
  for (int64_t i = 0; i < targets.size(); ++i) {
    if (i / 36 % 3 == 1) targets[i] *= 1e-3F;  // the second group matters least
  }
  for (int64_t i = 9; i < 18; ++i) weight[i] *= 1e-3F;
  const LayerStatistics statistics = DepthwiseStatistics(RandomTensor({4, 3, 6, 6}, 1), targets);
  const LayerSolution solution = PruneAdmm(statistics, weight, With(0.4));
  EXPECT_EQ(solution.mask.CountPruned(), PruneCount(27, 0.4));
  for (int64_t i = 9; i < 18; ++i) EXPECT_FALSE(solution.mask[i]);
}

TEST(Admm, ExtremesAndDeterminism) {
  const LinearCase data(4, 12, 200, 17);
  EXPECT_EQ(PruneAdmm(data.statistics, data.weight, With(0)).mask.CountPruned(), 0);
  EXPECT_EQ(PruneAdmm(data.statistics, data.weight, With(1)).mask.CountKept(), 0);
  // Large enough to be shared out.
  const LinearCase large(400, 60, 300, 3);
  SetThreads(1);
  const LayerSolution first = PruneAdmm(large.statistics, large.weight, With(0.5));
  SetThreads(3);
  const LayerSolution second = PruneAdmm(large.statistics, large.weight, With(0.5));
  SetThreads(0);
  EXPECT_EQ(first.mask, second.mask);
  double previous = 0;
  for (const double sparsity : {0.1, 0.3, 0.5, 0.7, 0.9, 1.0}) {
    const double loss = PruneAdmm(data.statistics, data.weight, With(sparsity)).loss;
    EXPECT_GT(loss, previous);
    previous = loss;
  }
}

// More columns than samples, and columns that never change or are twice there.
TEST(Admm, SingularCovariancesAreSolved) {
  LinearCase data(3, 12, 8, 5, /*mixed=*/false);
  for (int64_t n = 0; n < 8; ++n) {
    data.inputs[n * 12 + 3] = 2;
    data.inputs[n * 12 + 5] = data.inputs[n * 12 + 4];
  }
  LayerStatistics statistics(LinearNode(), LinearLayer(3, 12));
  statistics.Add(data.inputs, data.targets);
  AdmmOptions options = With(0.5);
  options.least_squares.damping = 0;
  const LayerSolution solution = PruneAdmm(statistics, data.weight, options);
  EXPECT_EQ(solution.mask.CountPruned(), 18);
  for (int64_t row = 0; row < 3; ++row) EXPECT_FALSE(solution.mask[row * 12 + 3]);
  for (const float w : solution.weight.values()) EXPECT_TRUE(std::isfinite(w));
}

TEST(Admm, BadInputNamesTheLayer) {
  const LinearCase data(4, 12, 100, 17);
  const auto error = [&](const AdmmOptions& options) {
    return MessageOf([&] { PruneAdmm(data.statistics, data.weight, options); });
  };
  EXPECT_EQ(error(With(101)), "fc: sparsity 101 is outside 0 … 1; give a fraction, not percent");
  AdmmOptions options = With(0.5);
  options.pattern = Nm(5, 4);
  EXPECT_THAT(error(options), HasSubstr("fc: n = 5 of m = 4 is no N:M pattern"));
  options = With(0.5);
  options.last_penalty = 1e-4;
  EXPECT_EQ(error(options),
            "fc: 0 iterations with penalties 0.001 … 0.0001; the number must not be negative, and "
            "the penalties be positive and grow");
  options = With(0.5);
  options.iterations = -1;
  EXPECT_THAT(error(options), HasSubstr("fc: -1 iterations"));
  LinearCase broken(4, 12, 100, 17);
  broken.weight[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(MessageOf([&] { PruneAdmm(broken.statistics, broken.weight, With(0.5)); }),
              HasSubstr("fc: weight of shape"));
}

}  // namespace
}  // namespace sparsify
