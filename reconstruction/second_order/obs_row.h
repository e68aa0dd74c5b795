// One band of rows under exact Optimal Brain Surgeon: removes columns one at a time and keeps
// the inverse Hessian and the remaining weights exact.
#pragma once

#include <cstdint>
#include <vector>

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/linear_algebra.h"

namespace sparsify {

/// Rows that lose the same columns, hence share one inverse. Removed columns are moved behind
/// the active ones, so that step k costs (columns − k)².
class ObsBand {
 public:
  /// `inverse` is H⁻¹, `weights` band rows×columns, at the optimum of J.
  ObsBand(Matrix inverse, Matrix weights);

  bool IsActive(int64_t column) const { return position_[Index(column)] < active_; }
  int64_t active() const { return active_; }

  /// Rise of the loss if all of `columns` (active, at least one) were removed with the best
  /// correction of the rest: Σ over rows of w_B·([H⁻¹]_BB)⁻¹·w_B; w²/[H⁻¹]_pp for one column.
  double Cost(const ColumnSet& columns) const;

  /// Removes one active column (OBC eq. 3 and 4): w −= w_p/[H⁻¹]_pp·[H⁻¹]_p: and
  /// H⁻¹ −= [H⁻¹]_:p[H⁻¹]_p:/[H⁻¹]_pp.
  void Remove(int64_t column);

  /// Current weights in the order of the columns; zero where removed.
  Matrix Weights() const;

 private:
  static size_t Index(int64_t i) { return static_cast<size_t>(i); }
  void MoveLastTo(int64_t position);

  Matrix inverse_;
  Matrix weights_;
  int64_t active_;
  std::vector<int64_t> position_;  // of a column
  std::vector<int64_t> column_;    // at a position
  Vector pivot_row_;
};

/// The removals of one band, in order.
struct ObsTrace {
  std::vector<int32_t> units;  // index of the set, or for N:M the column
  std::vector<double> costs;   // rise of the loss at each
};

/// Removes, each time, the set of smallest cost (lowest index of equal ones) until none is
/// left; N:M removes single columns while their set keeps more than n.
ObsTrace TraceBand(ObsBand band, const std::vector<ColumnSet>& sets, const PrunePattern& pattern);

}  // namespace sparsify
