#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <map>

#include "reconstruction/second_order/obs.h"
#include "second_order_support.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)
using ::testing::HasSubstr;

constexpr double kDamping = 0.01;

Real LossWithout(const std::vector<NaiveRow>& rows, const std::vector<bool>& keep) {
  Real loss = 0;
  for (const NaiveRow& row : rows) loss += row.Loss(row.Best(keep));
  return loss;
}

// Removes sets one at a time, each time trying every set and solving from scratch.
ObsTrace NaiveTrace(const std::vector<NaiveRow>& rows, const std::vector<ColumnSet>& sets) {
  std::vector<bool> keep(rows[0].t.size(), true);
  std::vector<bool> gone(sets.size(), false);
  ObsTrace trace;
  Real current = LossWithout(rows, keep);
  for (size_t step = 0; step < sets.size(); ++step) {
    Real best = std::numeric_limits<Real>::infinity();
    size_t chosen = 0;
    for (size_t s = 0; s < sets.size(); ++s) {
      if (gone[s]) continue;
      std::vector<bool> without = keep;
      for (const int64_t c : sets[s]) without[At(c)] = false;
      const Real loss = LossWithout(rows, without);
      if (loss < best) best = loss, chosen = s;
    }
    gone[chosen] = true;
    for (const int64_t c : sets[chosen]) keep[At(c)] = false;
    trace.units.push_back(static_cast<int32_t>(chosen));
    trace.costs.push_back(static_cast<double>(best - current));
    current = best;
  }
  return trace;
}

void ExpectTrace(const ObsTrace& actual, const ObsTrace& expected) {
  EXPECT_EQ(actual.units, expected.units);
  ASSERT_EQ(actual.costs.size(), expected.costs.size());
  for (size_t i = 0; i < actual.costs.size(); ++i) {
    EXPECT_NEAR(actual.costs[i], expected.costs[i], 1e-4 + 1e-4 * expected.costs[i]) << i;
  }
}

TEST(Obs, EachGreedyStepIsTheBestOfAllRemovals) {
  for (uint64_t seed : {1, 20, 300}) {
    const LinearCase data(3, 7, 200, seed);
    ObsOptions options;
    options.damping = kDamping;
    const ObsTraces traces = TraceObs(data.statistics, data.weight, options);
    ASSERT_EQ(traces.bands.size(), 3U);
    for (int64_t row = 0; row < 3; ++row) {
      ExpectTrace(traces.bands[At(row)],
                  NaiveTrace({RowProblem(data, row, kDamping)}, traces.sets));
    }
  }
}

TEST(Obs, BlocksOfSeveralRowsAreRemovedTogether) {
  const LinearCase data(5, 8, 200, 4);
  ObsOptions options;
  options.pattern = Block(2, 3);
  options.damping = kDamping;
  const ObsTraces traces = TraceObs(data.statistics, data.weight, options);
  EXPECT_THAT(traces.sets,
              ::testing::ElementsAre(ColumnSet{0, 1, 2}, ColumnSet{3, 4, 5}, ColumnSet{6, 7}));
  ASSERT_EQ(traces.bands.size(), 3U);
  ExpectTrace(
      traces.bands[0],
      NaiveTrace({RowProblem(data, 0, kDamping), RowProblem(data, 1, kDamping)}, traces.sets));
  ExpectTrace(traces.bands[2], NaiveTrace({RowProblem(data, 4, kDamping)}, traces.sets));
  const LayerSolution solution = PruneByTraces(data.statistics, data.weight, traces, 0.5);
  EXPECT_EQ(CountZeros(solution.weight), solution.mask.CountPruned());
  for (int64_t c = 0; c < 8; ++c) EXPECT_EQ(solution.mask[c], solution.mask[8 + c]);
  for (int64_t row = 0; row < 5; ++row) {
    EXPECT_EQ(solution.mask[row * 8 + 3], solution.mask[row * 8 + 5]);
  }
}

TEST(Obs, FirstRemovalIsTheBestOfAllMasksOfThatSizeAndTheRestIsNotFar) {
  const LinearCase data(1, 8, 200, 12);
  const NaiveRow row = RowProblem(data, 0, kDamping);
  std::map<int, Real> best;  // removed → loss, over all 256 masks
  for (unsigned bits = 0; bits < 256; ++bits) {
    std::vector<bool> keep;
    int removed = 0;
    for (unsigned i = 0; i < 8; ++i) {
      keep.push_back((bits >> i & 1U) == 0);
      removed += keep.back() ? 0 : 1;
    }
    const Real loss = row.Loss(row.Best(keep));
    if (best.count(removed) == 0 || loss < best[removed]) best[removed] = loss;
  }
  const ObsTraces traces = TraceObs(data.statistics, data.weight, {});
  Real loss = best[0];
  for (int removed = 1; removed <= 8; ++removed) {
    loss += traces.bands[0].costs[At(removed - 1)];
    EXPECT_GE(static_cast<double>(loss), static_cast<double>(best[removed]) - 1e-3);
    if (removed == 1 || removed >= 8) {
      EXPECT_NEAR(static_cast<double>(loss), static_cast<double>(best[removed]), 1e-3);
    }
  }
}

TEST(Obs, BandKeepsTheWeightsAtTheConstrainedOptimum) {
  const LinearCase data(2, 9, 200, 6);
  const GroupProblem problem = MakeGroupProblem(data.statistics, data.weight, 0, kDamping);
  Matrix optimum;
  Matrix inverse = problem.hessian;
  ASSERT_TRUE(DenseOptimum(problem, optimum));
  ASSERT_TRUE(InvertSymmetric(inverse));
  ObsBand band(inverse, optimum);
  std::vector<bool> keep(9, true);
  for (const int64_t column : {4, 0, 8, 5}) {
    band.Remove(column);
    keep[At(column)] = false;
    EXPECT_FALSE(band.IsActive(column));
    const Matrix weights = band.Weights();
    for (int64_t row = 0; row < 2; ++row) {
      const Row expected = RowProblem(data, row, kDamping).Best(keep);
      for (int64_t c = 0; c < 9; ++c) {
        EXPECT_NEAR(weights(row, c), static_cast<double>(expected[At(c)]), 1e-4);
      }
    }
  }
  EXPECT_EQ(band.active(), 5);
}

TEST(Obs, BandIsTheSameHoweverManyRemovalsArePending) {
  const LinearCase data(2, 30, 300, 8);
  const GroupProblem problem = MakeGroupProblem(data.statistics, data.weight, 0, kDamping);
  Matrix optimum;
  Matrix inverse = problem.hessian;
  ASSERT_TRUE(DenseOptimum(problem, optimum));
  ASSERT_TRUE(InvertSymmetric(inverse));
  ObsBand eager(inverse, optimum, 1);
  ObsBand lazy(inverse, optimum, 7);
  ObsBand lazier(inverse, optimum, 100);
  for (ObsBand* band : {&eager, &lazy, &lazier}) band->Spare(13);
  for (int step = 0; step < 29; ++step) {
    const auto next = eager.Cheapest();
    ASSERT_NE(next.column, 13);
    EXPECT_NEAR(eager.Cost({next.column}), next.cost, 1e-12);
    int64_t other = next.column;
    for (int64_t c = 0; c < 30; ++c) {
      if (!eager.IsActive(c) || c == 13) continue;
      EXPECT_GE(eager.Cost({c}), next.cost);
      other = c;
    }
    const double pair = other == next.column ? 0 : eager.Cost({next.column, other});
    for (ObsBand* band : {&lazy, &lazier}) {
      EXPECT_EQ(band->Cheapest().column, next.column);
      EXPECT_NEAR(band->Cheapest().cost, next.cost, 1e-8 * (1 + next.cost));
      if (other != next.column) {
        EXPECT_NEAR(band->Cost({next.column, other}), pair, 1e-8 * (1 + pair));
      }
    }
    for (ObsBand* band : {&eager, &lazy, &lazier}) band->Remove(next.column);
    EXPECT_LT((eager.Weights() - lazy.Weights()).cwiseAbs().maxCoeff(), 1e-8);
    EXPECT_LT((eager.Weights() - lazier.Weights()).cwiseAbs().maxCoeff(), 1e-8);
  }
  EXPECT_EQ(eager.Cheapest().column, -1);  // only the spared one is left
  EXPECT_EQ(eager.active(), 1);
}

TEST(Obs, DiagonalHessianMakesItMagnitudeTimesInputDeviation) {
  // Two-level factorial design: columns ±a_c are exactly uncorrelated with zero mean.
  constexpr int64_t kColumns = 6;
  Tensor inputs({64, kColumns});
  const std::vector<float> scale = {0.1F, 2.0F, 0.5F, 1.0F, 4.0F, 0.25F};
  for (int64_t n = 0; n < 64; ++n) {
    for (int64_t c = 0; c < kColumns; ++c) {
      inputs[n * kColumns + c] = (n >> c & 1) != 0 ? scale[At(c)] : -scale[At(c)];
    }
  }
  const Tensor weight = RandomTensor({1, kColumns}, 2);
  Tensor targets({64, 1});
  for (int64_t n = 0; n < 64; ++n) {
    for (int64_t c = 0; c < kColumns; ++c) targets[n] += weight[c] * inputs[n * kColumns + c];
  }
  LayerStatistics statistics(LinearNode(), LinearLayer(1, kColumns));
  statistics.Add(inputs, targets);
  ObsOptions options;
  options.damping = 0;
  const ObsTraces traces = TraceObs(statistics, weight, options);
  std::vector<std::pair<double, int32_t>> expected;
  for (int64_t c = 0; c < kColumns; ++c) {
    const double root = static_cast<double>(weight[c]) * scale[At(c)];
    expected.emplace_back(root * root, static_cast<int32_t>(c));
  }
  std::sort(expected.begin(), expected.end());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(traces.bands[0].units[i], expected[i].second);
    EXPECT_NEAR(traces.bands[0].costs[i], expected[i].first, 1e-5);
  }
}

TEST(Obs, AllocationTakesTheCheapestNextRemovalOfAnyRow) {
  LinearCase data(4, 6, 300, 15);
  ObsOptions options;
  options.sparsity = 0.5;
  const ObsTraces traces = TraceObs(data.statistics, data.weight, options);
  const LayerSolution solution = PruneObs(data.statistics, data.weight, options);
  EXPECT_EQ(solution.mask.CountPruned(), 12);
  std::vector<size_t> removed(4, 0);
  for (int step = 0; step < 12; ++step) {
    size_t best = 4;
    for (size_t b = 0; b < 4; ++b) {
      if (removed[b] == 6) continue;
      if (best == 4 || traces.bands[b].costs[removed[b]] < traces.bands[best].costs[removed[best]])
        best = b;
    }
    ++removed[best];
  }
  for (int64_t row = 0; row < 4; ++row) {
    const std::vector<bool> keep = RowOfMask(solution.mask, row);
    EXPECT_EQ(std::count(keep.begin(), keep.end(), false), static_cast<int64_t>(removed[At(row)]));
    for (size_t i = 0; i < removed[At(row)]; ++i) {
      EXPECT_FALSE(keep[At(traces.bands[At(row)].units[i])]);
    }
    const Row w = RowProblem(data, row, kDamping).Best(keep);
    for (int64_t c = 0; c < 6; ++c) {
      EXPECT_NEAR(solution.weight[row * 6 + c], static_cast<double>(w[At(c)]), 2e-4);
    }
  }
}

TEST(Obs, ScaledRowsSpareRowsThatAreSmall) {
  LinearCase data(2, 10, 300, 21);
  for (int64_t n = 0; n < 300; ++n) data.targets[n * 2] *= 0.01F;
  for (int64_t c = 0; c < 10; ++c) data.weight[c] *= 0.01F;
  LayerStatistics statistics(LinearNode(), LinearLayer(2, 10));
  statistics.Add(data.inputs, data.targets);
  ObsOptions options;
  const LayerSolution plain = PruneObs(statistics, data.weight, options);
  options.scale_rows = true;
  const LayerSolution scaled = PruneObs(statistics, data.weight, options);
  const auto kept = [](const Mask& mask) {
    const std::vector<bool> keep = RowOfMask(mask, 0);
    return std::count(keep.begin(), keep.end(), true);
  };
  EXPECT_EQ(kept(plain.mask), 0);
  EXPECT_GE(kept(scaled.mask), 3);
}

TEST(Obs, NmKeepsNOfEachMAndIsGreedyWithinThePattern) {
  const LinearCase data(3, 10, 300, 30);
  ObsOptions options;
  options.pattern = Nm(2, 4);
  const LayerSolution solution = PruneObs(data.statistics, data.weight, options);
  for (int64_t row = 0; row < 3; ++row) {
    const NaiveRow problem = RowProblem(data, row, kDamping);
    std::vector<bool> keep(10, true);
    std::vector<int64_t> room = {2, 2, 0};  // the last group has two channels, both stay
    for (int step = 0; step < 4; ++step) {
      Real best = std::numeric_limits<Real>::infinity();
      size_t chosen = 0;
      for (size_t c = 0; c < 10; ++c) {
        if (!keep[c] || room[c / 4] == 0) continue;
        std::vector<bool> without = keep;
        without[c] = false;
        const Real loss = problem.Loss(problem.Best(without));
        if (loss < best) best = loss, chosen = c;
      }
      keep[chosen] = false;
      --room[chosen / 4];
    }
    EXPECT_EQ(RowOfMask(solution.mask, row), keep);
  }
}

TEST(Obs, GroupsOfAConvolutionShareOneAllocation) {
  const LayerStatistics statistics =
      DepthwiseStatistics(RandomTensor({4, 3, 6, 6}, 1), RandomTensor({4, 3, 6, 6}, 2));
  ObsOptions options;
  options.sparsity = 0.7;
  const LayerSolution solution = PruneObs(statistics, RandomTensor({3, 1, 3, 3}, 3), options);
  EXPECT_EQ(solution.mask.CountPruned(), PruneCount(27, 0.7));
}

TEST(Obs, ExtremesAndDeterminism) {
  const LinearCase data(4, 12, 200, 17);
  ObsOptions options;
  options.sparsity = 0;
  EXPECT_EQ(PruneObs(data.statistics, data.weight, options).mask.CountPruned(), 0);
  options.sparsity = 1;
  EXPECT_EQ(PruneObs(data.statistics, data.weight, options).mask.CountKept(), 0);
  options.sparsity = 0.5;
  const LayerSolution first = PruneObs(data.statistics, data.weight, options);
  options.max_bytes = 12 * 12 * 8;  // one worker only
  const LayerSolution second = PruneObs(data.statistics, data.weight, options);
  EXPECT_EQ(first.mask, second.mask);
  for (int64_t i = 0; i < 48; ++i) EXPECT_EQ(first.weight[i], second.weight[i]);
  double previous = 0;
  for (const double sparsity : {0.1, 0.3, 0.5, 0.7, 0.9, 1.0}) {
    options.sparsity = sparsity;
    options.damping = 1e-6;
    const double loss = PruneObs(data.statistics, data.weight, options).loss;
    EXPECT_GE(loss, previous * (1 - 1e-3));
    previous = loss;
  }
}

TEST(Obs, BoundsAndBadInputNameTheLayer) {
  const LinearCase data(4, 12, 100, 17);
  ObsOptions options;
  options.max_operations = 1000;
  EXPECT_THAT(MessageOf([&] { PruneObs(data.statistics, data.weight, options); }),
              HasSubstr("fc: exact OBS needs 2.3e+03 operations (4 rows of 12 columns), at most "
                        "1e+03 are allowed; use ADMM"));
  options = {};
  options.max_bytes = 100;
  EXPECT_THAT(MessageOf([&] { PruneObs(data.statistics, data.weight, options); }),
              HasSubstr("fc: exact OBS needs 1152 bytes a worker for 12 columns"));
  options = {};
  options.sparsity = 101;
  EXPECT_EQ(MessageOf([&] { PruneObs(data.statistics, data.weight, options); }),
            "fc: sparsity 101 is outside 0 … 1; give a fraction, not percent");
  options = {};
  options.pattern = Nm(5, 4);
  EXPECT_EQ(MessageOf([&] { PruneObs(data.statistics, data.weight, options); }),
            "fc: n = 5 of m = 4 is no N:M pattern; need 1 <= n <= m, m >= 2");
}

}  // namespace
}  // namespace sparsify
