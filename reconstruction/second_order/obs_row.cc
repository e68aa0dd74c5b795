#include "reconstruction/second_order/obs_row.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "sparsity/base/interrupt.h"

namespace sparsify {

ObsBand::ObsBand(Matrix inverse, Matrix weights)
    : inverse_(std::move(inverse)),
      weights_(std::move(weights)),
      active_(weights_.cols()),
      position_(Index(active_)),
      column_(Index(active_)) {
  std::iota(position_.begin(), position_.end(), 0);
  std::iota(column_.begin(), column_.end(), 0);
}

double ObsBand::Cost(const ColumnSet& columns) const {
  if (columns.size() == 1) {
    const int64_t p = position_[Index(columns[0])];
    return weights_.col(p).squaredNorm() / inverse_(p, p);
  }
  const auto n = static_cast<int64_t>(columns.size());
  Matrix block(n, n);
  Matrix w(weights_.rows(), n);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t p = position_[Index(columns[Index(i)])];
    for (int64_t j = 0; j < n; ++j) block(i, j) = inverse_(p, position_[Index(columns[Index(j)])]);
    w.col(i) = weights_.col(p);
  }
  Matrix solved = w;
  if (!FactorCholesky(block)) return std::numeric_limits<double>::infinity();
  SolveCholesky(block, solved);
  return w.cwiseProduct(solved).sum();
}

void ObsBand::Remove(int64_t column) {
  const int64_t p = position_[Index(column)];
  const double pivot = inverse_(p, p);
  pivot_row_ = inverse_.row(p).head(active_).transpose();
  for (int64_t r = 0; r < weights_.rows(); ++r) {
    weights_.row(r).head(active_) -= weights_(r, p) / pivot * pivot_row_.transpose();
  }
  SubtractOuter(inverse_, 0, active_, 1 / pivot, pivot_row_.data());
  MoveLastTo(p);
}

void ObsBand::MoveLastTo(int64_t position) {
  const int64_t last = active_ - 1;
  const int64_t removed = column_[Index(position)];
  const int64_t moved = column_[Index(last)];
  if (position != last) {
    inverse_.row(position).head(active_) = inverse_.row(last).head(active_);
    inverse_.col(position).head(active_) = inverse_.col(last).head(active_);
    weights_.col(position) = weights_.col(last);
  }
  weights_.col(last).setZero();
  std::swap(column_[Index(position)], column_[Index(last)]);
  position_[Index(moved)] = position;
  position_[Index(removed)] = last;
  active_ = last;
}

Matrix ObsBand::Weights() const {
  Matrix weights(weights_.rows(), weights_.cols());
  for (size_t c = 0; c < position_.size(); ++c) {
    weights.col(static_cast<int64_t>(c)) = weights_.col(position_[c]);
  }
  return weights;
}

ObsTrace TraceBand(ObsBand band, const std::vector<ColumnSet>& sets, const PrunePattern& pattern) {
  const bool nm = pattern.kind == PruneKind::kNM;
  std::vector<ColumnSet> units;
  std::vector<size_t> home;  // the set of each unit
  for (size_t s = 0; s < sets.size(); ++s) {
    if (!nm) units.push_back(sets[s]);
    for (size_t i = 0; nm && i < sets[s].size(); ++i) units.push_back({sets[s][i]});
    home.resize(units.size(), s);
  }
  std::vector<int64_t> room(sets.size(), 1);  // removals that a set still allows
  for (size_t s = 0; nm && s < sets.size(); ++s) {
    room[s] = std::max<int64_t>(0, static_cast<int64_t>(sets[s].size()) - pattern.n);
  }
  ObsTrace trace;
  for (;;) {
    ThrowIfInterrupted();
    size_t best = units.size();
    double best_cost = std::numeric_limits<double>::infinity();
    for (size_t u = 0; u < units.size(); ++u) {
      if (room[home[u]] == 0 || !band.IsActive(units[u][0])) continue;
      const double cost = band.Cost(units[u]);
      if (best == units.size() || cost < best_cost) best = u, best_cost = cost;
    }
    if (best == units.size()) return trace;
    for (const int64_t column : units[best]) band.Remove(column);
    --room[home[best]];
    trace.units.push_back(static_cast<int32_t>(nm ? units[best][0] : static_cast<int64_t>(best)));
    trace.costs.push_back(best_cost);
  }
}

}  // namespace sparsify
