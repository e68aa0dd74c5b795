#include "reconstruction/second_order/wanda.h"

#include <algorithm>

#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

// Prunes columns of one row: the lowest of each set until n stay.
void KeepBestOfSets(const Matrix& scores, const std::vector<ColumnSet>& sets, int64_t n,
                    KeepMatrix& keep) {
  for (const ColumnSet& set : sets) {
    const int64_t prune = std::max<int64_t>(0, static_cast<int64_t>(set.size()) - n);
    for (int64_t row = 0; row < scores.rows(); ++row) {
      std::vector<double> values;
      for (const int64_t c : set) values.push_back(scores(row, c));
      const std::vector<bool> pruned = SmallestScores(values, prune);
      for (size_t i = 0; i < set.size(); ++i) {
        if (pruned[i]) keep(row, set[i]) = 0;
      }
    }
  }
}

// Prunes whole sets of each band of rows; `seen` counts the sets of the bands so far.
void PruneSets(const Matrix& scores, const std::vector<ColumnSet>& sets, int64_t band,
               double sparsity, int64_t& seen, KeepMatrix& keep) {
  for (int64_t first = 0; first < scores.rows(); first += band) {
    const int64_t rows = std::min(band, scores.rows() - first);
    std::vector<double> values(sets.size(), 0);
    for (size_t s = 0; s < sets.size(); ++s) {
      for (const int64_t c : sets[s]) values[s] += scores.col(c).segment(first, rows).sum();
    }
    const int64_t before = PruneCount(seen, sparsity);
    seen += std::ssize(sets);
    const std::vector<bool> pruned = SmallestScores(values, PruneCount(seen, sparsity) - before);
    for (size_t s = 0; s < sets.size(); ++s) {
      if (!pruned[s]) continue;
      for (const int64_t c : sets[s]) keep.col(c).segment(first, rows) = 0;
    }
  }
}

}  // namespace

LayerSolution PruneWanda(const LayerStatistics& statistics, const Tensor& weight,
                         const WandaOptions& options) {
  CheckSparsity(statistics, options.sparsity);
  const std::vector<ColumnSet> sets = MakeColumnSets(statistics, options.pattern);
  int64_t seen = 0;  // sets of the groups done
  return SolveLayer(statistics, weight, options.least_squares.damping,
                    [&](int64_t, GroupProblem& problem, GroupSolution& solution) {
                      const Matrix scores =
                          problem.given.cwiseAbs2() * problem.input_square.asDiagonal();
                      solution.keep = KeepMatrix::Ones(scores.rows(), scores.cols());
                      int64_t now = seen;
                      if (options.pattern.kind == PruneKind::kNM) {
                        KeepBestOfSets(scores, sets, options.pattern.n, solution.keep);
                      } else {
                        PruneSets(scores, sets, options.pattern.RowsTogether(), options.sparsity,
                                  now, solution.keep);
                      }
                      if (!options.refit) {
                        solution.weights = problem.given;
                      } else if (!SolveOnSupport(problem, options.least_squares, solution)) {
                        return false;
                      }
                      seen = now;
                      return true;
                    });
}

}  // namespace sparsify
