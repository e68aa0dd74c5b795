#include "reconstruction/second_order/obs_row.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "sparsity/base/interrupt.h"

namespace sparsify {

ObsBand::ObsBand(Matrix inverse, Matrix weights, int64_t pending)
    : inverse_(std::move(inverse)),
      removals_(std::max<int64_t>(pending, 1), weights.cols()),
      weights_(std::move(weights)),
      diagonal_(inverse_.diagonal().array()),
      penalty_(Eigen::ArrayXd::Zero(weights_.cols())),
      smallest_(weights_.cols() == 0 ? 0 : 1e-13 * diagonal_.maxCoeff()),
      active_(weights_.cols()),
      position_(Index(active_)),
      column_(Index(active_)) {
  std::iota(position_.begin(), position_.end(), 0);
  std::iota(column_.begin(), column_.end(), 0);
}

double ObsBand::Inverse(int64_t p, int64_t q) const {
  if (p == q) return diagonal_[p];
  return inverse_(std::max(p, q), std::min(p, q)) -
         removals_.col(p).head(pending_).dot(removals_.col(q).head(pending_));
}

double ObsBand::Cost(const ColumnSet& columns) const {
  if (columns.size() == 1) {
    const int64_t p = position_[Index(columns[0])];
    return weights_.col(p).squaredNorm() / diagonal_[p];
  }
  const auto n = static_cast<int64_t>(columns.size());
  Matrix block(n, n);
  Matrix w(weights_.rows(), n);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t p = position_[Index(columns[Index(i)])];
    for (int64_t j = 0; j <= i; ++j) block(i, j) = Inverse(p, position_[Index(columns[Index(j)])]);
    w.col(i) = weights_.col(p);
  }
  Matrix solved = w;
  if (!FactorCholesky(block)) return std::numeric_limits<double>::infinity();
  SolveCholesky(block, solved);
  return w.cwiseProduct(solved).sum();
}

ObsBand::Candidate ObsBand::Cheapest() const {
  Candidate best{.cost = kNever};
  for (int64_t p = 0; p < active_; ++p) {
    double square = 0;
    for (int64_t r = 0; r < weights_.rows(); ++r) square += weights_(r, p) * weights_(r, p);
    const double cost = square / diagonal_[p] + penalty_[p];
    const int64_t column = column_[Index(p)];
    if (cost < best.cost || (cost == best.cost && cost < kNever && column < best.column)) {
      best = {column, cost};
    }
  }
  return best;
}

// Row p of H⁻¹ over the active positions.
void ObsBand::FindRow(int64_t p) {
  row_.resize(active_);
  row_.head(p + 1) = inverse_.row(p).head(p + 1).transpose();
  for (int64_t i = p + 1; i < active_; ++i) row_[i] = inverse_(i, p);
  const Vector factors = removals_.col(p).head(pending_);
  SubtractCombination(removals_, factors, active_, row_.data());
}

void ObsBand::Remove(int64_t column) {
  const int64_t p = position_[Index(column)];
  FindRow(p);
  const double pivot = std::max(row_[p], smallest_);
  for (int64_t r = 0; r < weights_.rows(); ++r) {
    weights_.row(r).head(active_) -= weights_(r, p) / pivot * row_.transpose();
  }
  row_ /= std::sqrt(pivot);
  diagonal_.head(active_) = (diagonal_.head(active_) - row_.array().square()).max(smallest_);
  removals_.row(pending_++).head(active_) = row_.transpose();
  MoveLastTo(p);
  if (pending_ == removals_.rows()) BringUpToDate();
}

void ObsBand::BringUpToDate() {
  SubtractGram(removals_, pending_, active_, inverse_);
  pending_ = 0;
}

void ObsBand::MoveLastTo(int64_t position) {
  const int64_t last = active_ - 1;
  const int64_t removed = column_[Index(position)];
  const int64_t moved = column_[Index(last)];
  if (position != last) {
    inverse_.row(position).head(position) = inverse_.row(last).head(position);
    inverse_(position, position) = inverse_(last, last);
    for (int64_t i = position + 1; i < last; ++i) inverse_(i, position) = inverse_(last, i);
    removals_.col(position).head(pending_) = removals_.col(last).head(pending_);
    diagonal_[position] = diagonal_[last];
    penalty_[position] = penalty_[last];
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

namespace {

// Single columns; `room` of each set says how many it may still lose.
ObsTrace TraceColumns(ObsBand band, const std::vector<ColumnSet>& sets, std::vector<int64_t> room) {
  std::vector<size_t> home(static_cast<size_t>(band.active()));
  for (size_t s = 0; s < sets.size(); ++s) {
    for (const int64_t column : sets[s]) {
      home[static_cast<size_t>(column)] = s;
      if (room[s] == 0) band.Spare(column);
    }
  }
  ObsTrace trace;
  for (;;) {
    ThrowIfInterrupted();
    const ObsBand::Candidate next = band.Cheapest();
    if (next.column < 0) return trace;
    band.Remove(next.column);
    trace.units.push_back(static_cast<int32_t>(next.column));
    trace.costs.push_back(next.cost);
    const size_t set = home[static_cast<size_t>(next.column)];
    if (--room[set] > 0) continue;
    for (const int64_t column : sets[set]) {
      if (band.IsActive(column)) band.Spare(column);
    }
  }
}

ObsTrace TraceSets(ObsBand band, const std::vector<ColumnSet>& sets) {
  ObsTrace trace;
  for (;;) {
    ThrowIfInterrupted();
    size_t best = sets.size();
    double best_cost = std::numeric_limits<double>::infinity();
    for (size_t s = 0; s < sets.size(); ++s) {
      if (!band.IsActive(sets[s][0])) continue;
      const double cost = band.Cost(sets[s]);
      if (best == sets.size() || cost < best_cost) best = s, best_cost = cost;
    }
    if (best == sets.size()) return trace;
    for (const int64_t column : sets[best]) band.Remove(column);
    trace.units.push_back(static_cast<int32_t>(best));
    trace.costs.push_back(best_cost);
  }
}

}  // namespace

ObsTrace TraceBand(const Matrix& inverse, Matrix weights, const std::vector<ColumnSet>& sets,
                   const PrunePattern& pattern) {
  // Costs of whole sets read the inverse everywhere, so that fewer removals may be pending.
  constexpr int64_t kPendingOfSets = 16;
  if (pattern.kind == PruneKind::kBlock) {
    return TraceSets(ObsBand(inverse, std::move(weights), kPendingOfSets), sets);
  }
  std::vector<int64_t> room;
  for (const ColumnSet& set : sets) {
    const auto size = static_cast<int64_t>(set.size());
    room.push_back(pattern.kind == PruneKind::kNM ? std::max<int64_t>(0, size - pattern.n) : size);
  }
  return TraceColumns(ObsBand(inverse, std::move(weights)), sets, std::move(room));
}

}  // namespace sparsify
