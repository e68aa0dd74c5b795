// The loss of pruning one layer as a function of its sparsity, between and behind the points of
// its sensitivity curve.
#pragma once

#include <vector>

#include "sparsity/allocation/sensitivity.h"

namespace sparsify {

struct LossPoint {
  double sparsity = 0;
  double loss = 0;
};

/// Runs linearly between its points from 0 at 0, never falls (running maximum), and goes on behind
/// the last point to four times its loss at 0.99 and to sixteen times the largest last loss of any
/// layer at 1: what was not measured is taken only where nothing else is left.
struct LossCurve {
  std::vector<LossPoint> points;  // from (0, 0), sparsity increasing, loss not falling
  bool continuous = true;         // false: nothing between the points (a single one was measured)

  double most() const { return points.back().sparsity; }
  /// At 0 … most(); of the last point behind that.
  double LossAt(double sparsity) const;
};

/// The curves up to `max_sparsity`, in their order. Throws Error on a curve without points or with
/// more sparsities than losses.
std::vector<LossCurve> LossCurvesOf(const std::vector<SensitivityCurve>& curves,
                                    double max_sparsity);

}  // namespace sparsify
