#include "reconstruction/second_order/sparse_gpt.h"

#include <algorithm>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

// How many units there were so far, and how many of them went.
struct Totals {
  int64_t units = 0;
  int64_t pruned = 0;
};

// The sweep over one group. Columns are in visiting order here; sets are runs of columns.
class Sweep {
 public:
  Sweep(const GroupProblem& problem, const std::vector<ColumnSet>& sets,
        const SparseGptOptions& options, const Totals& before)
      : problem_(problem), options_(options), totals_(before) {
    for (const ColumnSet& set : sets) {
      starts_.push_back(static_cast<int64_t>(order_.size()));
      order_.insert(order_.end(), set.begin(), set.end());
    }
    starts_.push_back(static_cast<int64_t>(order_.size()));
  }

  // `solution.keep` is given when options.given_mask is set.
  bool Run(GroupSolution& solution) {
    Matrix optimum;
    if (!DenseOptimum(problem_, optimum) || !Factor()) return false;
    weights_ = optimum(Eigen::all, order_);
    const bool fixed = options_.given_mask != nullptr;
    keep_ = fixed ? KeepMatrix(solution.keep(Eigen::all, order_))
                  : KeepMatrix::Ones(weights_.rows(), weights_.cols());
    row_scale_ = problem_.target_variance.unaryExpr(
        [&](double variance) { return RowWeight(variance, options_.scale_rows); });
    for (size_t first = 0; first + 1 < starts_.size();) {
      ThrowIfInterrupted();
      size_t last = first + 1;
      while (last + 1 < starts_.size() &&
             starts_[last + 1] - starts_[first] <= options_.block_columns) {
        ++last;
      }
      if (!fixed && options_.pattern.kind != PruneKind::kNM) ChooseInBlock(first, last);
      SweepBlock(first, last, !fixed && options_.pattern.kind == PruneKind::kNM);
      first = last;
    }
    solution.weights.resize(weights_.rows(), weights_.cols());
    solution.keep.resize(weights_.rows(), weights_.cols());
    solution.weights(Eigen::all, order_) = weights_;
    solution.keep(Eigen::all, order_) = keep_;
    return true;
  }

  const Totals& totals() const { return totals_; }

 private:
  bool Factor() {
    Matrix inverse = problem_.hessian(order_, order_);
    if (!InvertSymmetric(inverse) || !FactorCholesky(inverse)) return false;
    upper_ = inverse.transpose();
    return (upper_.diagonal().array() > 0).all();
  }

  double Score(int64_t row, int64_t column) const {
    const double error = weights_(row, column) / upper_(column, column);
    return error * error * row_scale_[row];
  }

  // Prunes whole sets of bands of rows among the sets [first, last).
  void ChooseInBlock(size_t first, size_t last) {
    const int64_t band = options_.pattern.RowsTogether();
    std::vector<double> scores;
    for (int64_t top = 0; top < weights_.rows(); top += band) {
      const int64_t bottom = std::min(top + band, weights_.rows());
      for (size_t s = first; s < last; ++s) {
        double score = 0;
        for (int64_t r = top; r < bottom; ++r) {
          for (int64_t c = starts_[s]; c < starts_[s + 1]; ++c) score += Score(r, c);
        }
        scores.push_back(score);
      }
    }
    const auto units = static_cast<int64_t>(scores.size());
    totals_.units += units;
    const int64_t wanted = PruneCount(totals_.units, options_.sparsity) - totals_.pruned;
    const int64_t count = std::clamp<int64_t>(wanted, 0, units);
    totals_.pruned += count;
    const std::vector<bool> pruned = SmallestScores(scores, count);
    const size_t sets = last - first;
    for (size_t u = 0; u < pruned.size(); ++u) {
      if (!pruned[u]) continue;
      const int64_t top = static_cast<int64_t>(u / sets) * band;
      const size_t s = first + u % sets;
      keep_.block(top, starts_[s], std::min(band, keep_.rows() - top), starts_[s + 1] - starts_[s])
          .setZero();
    }
  }

  void ChooseInSet(int64_t row, size_t set) {
    const int64_t begin = starts_[set];
    const int64_t end = starts_[set + 1];
    std::vector<double> scores;
    for (int64_t c = begin; c < end; ++c) scores.push_back(Score(row, c));
    const int64_t count = std::max<int64_t>(0, end - begin - options_.pattern.n);
    const std::vector<bool> pruned = SmallestScores(scores, count);
    for (int64_t c = begin; c < end; ++c) {
      if (pruned[static_cast<size_t>(c - begin)]) keep_(row, c) = 0;
    }
  }

  void SweepBlock(size_t first, size_t last, bool choose) {
    const int64_t begin = starts_[first];
    const int64_t end = starts_[last];
    Matrix errors = Matrix::Zero(weights_.rows(), end - begin);
    ParallelFor(weights_.rows(), [&](int64_t row) {
      for (size_t set = first; set < last; ++set) {
        if (choose) ChooseInSet(row, set);
        for (int64_t c = starts_[set]; c < starts_[set + 1]; ++c) {
          if (keep_(row, c) != 0) continue;
          const double error = weights_(row, c) / upper_(c, c);
          weights_.row(row).segment(c, end - c) -= error * upper_.row(c).segment(c, end - c);
          weights_(row, c) = 0;
          errors(row, c - begin) = error;
        }
      }
    });
    const int64_t rest = weights_.cols() - end;
    if (rest == 0) return;
    const Matrix right = upper_.block(begin, end, end - begin, rest);
    Matrix spread;
    Multiply(errors, right, spread);
    weights_.rightCols(rest) -= spread;
  }

  const GroupProblem& problem_;
  const SparseGptOptions& options_;
  std::vector<int64_t> order_;   // column at each place of the sweep
  std::vector<int64_t> starts_;  // first place of each set, and the end
  Matrix upper_, weights_;
  KeepMatrix keep_;
  Vector row_scale_;
  Totals totals_;
};

}  // namespace

LayerSolution PruneSparseGpt(const LayerStatistics& statistics, const Tensor& weight,
                             const SparseGptOptions& options) {
  CheckSparsity(statistics, options.sparsity);
  if (options.block_columns < 1) {
    Fail(statistics.layer_name(), "block_columns {} must be positive", options.block_columns);
  }
  if (options.score_only && options.refit) {
    Fail(statistics.layer_name(), "score_only and refit exclude each other");
  }
  const std::vector<ColumnSet> sets = MakeColumnSets(statistics, options.pattern);
  Totals totals;  // of the groups done
  return SolveLayer(
      statistics, weight, options.least_squares.damping,
      [&](int64_t group, GroupProblem& problem, GroupSolution& solution) {
        if (options.given_mask != nullptr) {
          solution.keep = GroupMask(statistics, *options.given_mask, group);
        }
        Sweep sweep(problem, sets, options, totals);
        if (!sweep.Run(solution)) return false;
        if (options.score_only) solution.weights = problem.given;
        if (options.refit && !SolveOnSupport(problem, options.least_squares, solution)) {
          return false;
        }
        totals = sweep.totals();
        return true;
      });
}

}  // namespace sparsify
