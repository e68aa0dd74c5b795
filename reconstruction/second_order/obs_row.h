// One band of rows under exact Optimal Brain Surgeon: removes columns one at a time and keeps
// the inverse Hessian and the remaining weights exact.
#pragma once

#include <cstdint>
#include <vector>

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/linear_algebra.h"

namespace sparsify {

/// Rows that lose the same columns, hence share one inverse. Removed columns are moved behind
/// the active ones, so that step k costs (columns − k)² operations. The inverse is brought up to
/// date only once in many removals, by one product of matrices instead of as many outer
/// products; the rows of it that are looked at in between are corrected one by one. The result
/// is the same to rounding.
class ObsBand {
 public:
  /// `inverse` is H⁻¹ (its lower triangle is read), `weights` band rows×columns, at the optimum of
  /// J. `pending` removals are collected before the inverse is brought up to date.
  ObsBand(Matrix inverse, Matrix weights, int64_t pending = 64);

  bool IsActive(int64_t column) const { return position_[Index(column)] < active_; }
  int64_t active() const { return active_; }

  /// Rise of the loss if all of `columns` (active, at least one) were removed with the best
  /// correction of the rest: Σ over rows of w_B·([H⁻¹]_BB)⁻¹·w_B; w²/[H⁻¹]_pp for one column.
  double Cost(const ColumnSet& columns) const;

  struct Candidate {
    int64_t column = -1;  // −1: none is left
    double cost = 0;
  };
  /// The active column of smallest cost that is not spared; the lowest of equal ones.
  Candidate Cheapest() const;
  /// Cheapest leaves this active column out from now on.
  void Spare(int64_t column) { penalty_[position_[Index(column)]] = kNever; }

  /// Removes one active column (OBC eq. 3 and 4): w −= w_p/[H⁻¹]_pp·[H⁻¹]_p: and
  /// H⁻¹ −= [H⁻¹]_:p[H⁻¹]_p:/[H⁻¹]_pp.
  void Remove(int64_t column);

  /// Current weights in the order of the columns; zero where removed.
  Matrix Weights() const;

 private:
  static constexpr double kNever = 1e300;
  static size_t Index(int64_t i) { return static_cast<size_t>(i); }
  double Inverse(int64_t p, int64_t q) const;
  void FindRow(int64_t p);
  void BringUpToDate();
  void MoveLastTo(int64_t position);

  Matrix inverse_;   // lower triangle, of the active positions, without the pending removals
  Matrix removals_;  // a row for each pending one: [H⁻¹]_p:/√[H⁻¹]_pp at its time
  int64_t pending_ = 0;
  Matrix weights_;
  Eigen::ArrayXd diagonal_;  // of H⁻¹, always up to date
  Eigen::ArrayXd penalty_;   // 0, or kNever for a spared column
  double smallest_;          // H⁻¹'s diagonal cannot fall below but by rounding
  int64_t active_;
  std::vector<int64_t> position_;  // of a column
  std::vector<int64_t> column_;    // at a position
  Vector row_;                     // of H⁻¹
};

/// The removals of one band, in order.
struct ObsTrace {
  std::vector<int32_t> units;  // index of the set, or for N:M the column
  std::vector<double> costs;   // rise of the loss at each
};

/// Removes, each time, the set of smallest cost (lowest index of equal ones) until none is
/// left; N:M removes single columns while their set keeps more than n.
ObsTrace TraceBand(const Matrix& inverse, Matrix weights, const std::vector<ColumnSet>& sets,
                   const PrunePattern& pattern);

}  // namespace sparsify
