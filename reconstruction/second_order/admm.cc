#include "reconstruction/second_order/admm.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

constexpr int kSettled = 8;  // iterations without a change

// One group of the layer, its rows and columns scaled. The sparse copy of the weights is `split`
// where `keep`, and 0 elsewhere; the multipliers (over ρ) are 0 where `keep`, and `split`
// elsewhere: one matrix holds both.
class Group {
 public:
  Group(const GroupProblem& problem, bool scale_rows)
      : keep_(KeepMatrix::Ones(problem.given.rows(), problem.given.cols())) {
    const Vector root = problem.hessian.diagonal().cwiseMax(0).cwiseSqrt();
    const Vector inverse = (root.array() > 0).select(root.array().inverse(), 0).matrix();
    hessian_ = (inverse.asDiagonal() * problem.hessian * inverse.asDiagonal()).cast<float>();
    const Vector row = problem.target_variance.unaryExpr(
        [&](double variance) { return std::sqrt(RowWeight(variance, scale_rows)); });
    row_ = row.cast<float>();
    column_ = inverse.cast<float>();
    target_ = (row.asDiagonal() * problem.target * inverse.asDiagonal()).cast<float>();
    split_ = (row.asDiagonal() * problem.given * root.asDiagonal()).cast<float>();
  }

  /// Factors H + ρI. False when rounding has eaten a ρ that is small beside H's entries.
  bool Factor(double penalty) {
    factor_ = hessian_;
    factor_.diagonal().array() += static_cast<float>(penalty);
    return FactorCholesky(factor_);
  }

  /// The weights that minimise J + ρ|w − copy + multipliers|², and with them the next split. False
  /// when that leaves the range of floats.
  bool Step(double penalty, double before) {
    const auto rho = static_cast<float>(penalty);
    const auto rescaled = static_cast<float>(before / penalty);  // multipliers over the new ρ
    weights_ = target_;
    weights_.array() += rho * (keep_ != 0).select(split_.array(), -rescaled * split_.array());
    SolveCholesky(factor_, weights_);
    split_ = (keep_ != 0).select(weights_.array(), weights_.array() + rescaled * split_.array());
    return split_.allFinite();
  }

  const FloatMatrix& split() const { return split_; }
  /// Unscaled.
  FloatMatrix Weights() const {
    return row_.cwiseInverse().asDiagonal() * split_ * column_.asDiagonal();
  }
  KeepMatrix& keep() { return keep_; }

 private:
  FloatMatrix hessian_, target_, split_, weights_, factor_;
  KeepMatrix keep_;
  Eigen::VectorXf row_, column_;  // scales of target_, as of H's rows
};

// The projection: which units of all groups stay.
class Selection {
 public:
  Selection(const LayerStatistics& statistics, const AdmmOptions& options)
      : options_(options),
        sets_(MakeColumnSets(statistics, options.pattern)),
        rows_(statistics.rows()),
        band_(options.pattern.RowsTogether()),
        bands_((rows_ + band_ - 1) / band_) {
    if (options.pattern.kind == PruneKind::kNM) return;
    scores_.resize(static_cast<size_t>(statistics.groups() * bands_) * sets_.size());
    count_ = PruneCount(std::ssize(scores_), options.sparsity);
  }

  /// Whether a mask changed.
  bool Choose(std::vector<Group>& groups) {
    changed_ = false;
    if (options_.pattern.kind == PruneKind::kNM) {
      for (Group& group : groups) ChooseInSets(group);
      return changed_;
    }
    const int64_t all = std::ssize(groups) * bands_;
    const int64_t parts = std::min<int64_t>(all, 1 + std::ssize(scores_) / kPart);
    ParallelFor(parts, [&](int64_t part) {
      for (int64_t b = part * all / parts; b < (part + 1) * all / parts; ++b) {
        Score(groups[At(b / bands_)].split(), b);
      }
    });
    const float threshold = SmallestKept();
    // Of scores equal to the threshold the first go.
    int64_t ties = count_ - std::count_if(scores_.begin(), scores_.end(),
                                          [&](float score) { return score < threshold; });
    for (int64_t b = 0; b < all; ++b) {
      for (size_t s = 0; s < sets_.size(); ++s) {
        const float score = scores_[At(b) * sets_.size() + s];
        const bool keep = score > threshold || (score == threshold && --ties < 0);
        Set(groups[At(b / bands_)].keep(), b % bands_, sets_[s], keep);
      }
    }
    return changed_;
  }

 private:
  static constexpr int64_t kPart = 1 << 14;  // scores that are worth a thread

  static size_t At(int64_t i) { return static_cast<size_t>(i); }

  float SmallestKept() {
    if (count_ == std::ssize(scores_)) return std::numeric_limits<float>::infinity();
    sorted_ = scores_;
    std::nth_element(sorted_.begin(), sorted_.begin() + count_, sorted_.end());
    return sorted_[At(count_)];
  }

  // Of the sets of one band of all groups: sums of squares.
  void Score(const FloatMatrix& split, int64_t band) {
    const int64_t first = band % bands_ * band_;
    const int64_t rows = std::min(band_, rows_ - first);
    float* scores = scores_.data() + At(band) * sets_.size();
    for (size_t s = 0; s < sets_.size(); ++s) {
      double sum = 0;
      for (int64_t r = first; r < first + rows; ++r) {
        for (const int64_t c : sets_[s]) sum += std::pow(static_cast<double>(split(r, c)), 2);
      }
      scores[s] = static_cast<float>(std::min<double>(sum, std::numeric_limits<float>::max()));
    }
  }

  void Set(KeepMatrix& keep, int64_t band, const ColumnSet& columns, bool kept) {
    const uint8_t value = kept ? 1 : 0;
    const int64_t first = band * band_;
    if (keep(first, columns[0]) == value) return;
    changed_ = true;
    for (int64_t r = first; r < std::min(first + band_, rows_); ++r) {
      for (const int64_t c : columns) keep(r, c) = value;
    }
  }

  void ChooseInSets(Group& group) {
    std::atomic<bool> changed = false;
    ParallelFor(rows_, [&](int64_t row) {
      std::vector<std::pair<float, int64_t>> order;  // of equal ones the first column goes
      for (const ColumnSet& set : sets_) {
        order.clear();
        for (const int64_t c : set) order.emplace_back(std::abs(group.split()(row, c)), c);
        std::sort(order.begin(), order.end());
        const int64_t pruned = std::max<int64_t>(0, std::ssize(set) - options_.pattern.n);
        for (int64_t i = 0; i < std::ssize(order); ++i) {
          uint8_t& keep = group.keep()(row, order[At(i)].second);
          const uint8_t value = i < pruned ? 0 : 1;
          if (keep != value) changed = true;
          keep = value;
        }
      }
    });
    if (changed) changed_ = true;
  }

  const AdmmOptions& options_;
  std::vector<ColumnSet> sets_;
  int64_t rows_, band_, bands_;
  std::vector<float> scores_;  // of each group, band and set
  std::vector<float> sorted_;
  int64_t count_ = 0;
  bool changed_ = false;
};

// With few rows a factor costs more than solving with it: it is kept for so many iterations.
int Uses(const LayerStatistics& statistics) {
  constexpr int64_t kMost = 8;
  return static_cast<int>(std::clamp<int64_t>(
      statistics.columns() / (2 * std::max<int64_t>(1, statistics.rows())), 1, kMost));
}

int Iterations(const LayerStatistics& statistics, const AdmmOptions& options) {
  constexpr double kOperations = 4e11;
  if (options.iterations > 0) return options.iterations;
  const auto rows = static_cast<double>(statistics.rows());
  const auto columns = static_cast<double>(statistics.columns());
  const double each = static_cast<double>(statistics.groups()) * columns * columns *
                      (2 * rows + columns / 3 / Uses(statistics));
  return static_cast<int>(std::clamp(kOperations / each, 40.0, 160.0));
}

// One ρ for all groups; it is raised where a factorisation fails.
void Factor(const LayerStatistics& statistics, std::vector<Group>& groups, double& penalty) {
  constexpr int kMostRaises = 30;
  const double wanted = penalty;
  for (int raises = 0; raises <= kMostRaises; ++raises, penalty *= 2) {
    const bool good = std::all_of(groups.begin(), groups.end(),
                                  [&](Group& group) { return group.Factor(penalty); });
    if (!good) continue;
    if (raises > 0) {
      Warn("{}: ADMM: no Cholesky factor with a penalty of {:g}; raised to {:g}",
           statistics.layer_name(), wanted, penalty);
    }
    return;
  }
  Fail(statistics.layer_name(),
       "ADMM: no Cholesky factor even with a penalty of {:g}; check the calibration images",
       penalty);
}

void FindMasks(const LayerStatistics& statistics, const AdmmOptions& options,
               std::vector<Group>& groups) {
  Selection selection(statistics, options);
  const int uses = Uses(statistics);
  const int iterations = Iterations(statistics, options);
  const double growth = std::pow(options.last_penalty / options.first_penalty,
                                 static_cast<double>(uses) / iterations);
  double penalty = options.first_penalty;
  double before = penalty;
  int done = 0;
  int settled = 0;
  for (; done < iterations && settled < kSettled; ++done) {
    ThrowIfInterrupted();
    if (done % uses == 0) {
      if (done > 0) penalty *= growth;
      Factor(statistics, groups, penalty);
    }
    for (Group& group : groups) {
      if (!group.Step(penalty, before)) {
        Fail(statistics.layer_name(),
             "ADMM left the range of floats; check the calibration images");
      }
    }
    before = penalty;
    settled = selection.Choose(groups) ? 0 : settled + 1;
  }
  Verbose("{}: ADMM: {} of {} iterations; the masks {}", statistics.layer_name(), done, iterations,
          settled == 0 ? "still changed in the last" : fmt::format("stood still for {}", settled));
}

}  // namespace

LayerSolution PruneAdmm(const LayerStatistics& statistics, const Tensor& weight,
                        const AdmmOptions& options) {
  const double damping = options.least_squares.damping;
  CheckSparsity(statistics, options.sparsity);
  CheckGiven(statistics, weight, damping);
  if (options.iterations < 0 || !(options.first_penalty > 0) ||
      !(options.last_penalty >= options.first_penalty)) {
    Fail(statistics.layer_name(),
         "{} iterations with penalties {:g} … {:g}; the number must not be negative, and "
         "the penalties be positive and grow",
         options.iterations, options.first_penalty, options.last_penalty);
  }
  Mask mask(weight.shape());
  Tensor start(weight.shape());
  {
    std::vector<Group> groups;
    groups.reserve(static_cast<size_t>(statistics.groups()));
    for (int64_t g = 0; g < statistics.groups(); ++g) {
      groups.emplace_back(MakeGroupProblem(statistics, weight, g, damping), options.scale_rows);
    }
    FindMasks(statistics, options, groups);
    int64_t at = 0;
    for (Group& group : groups) {
      const FloatMatrix weights = group.Weights();
      for (int64_t i = 0; i < weights.size(); ++i, ++at) {
        mask.Set(at, group.keep().data()[i] != 0);
        start[at] = weights.data()[i];
      }
    }
  }
  LeastSquaresOptions refit = options.least_squares;
  refit.start = &start;
  return SolveLeastSquares(statistics, weight, mask, refit);
}

}  // namespace sparsify
