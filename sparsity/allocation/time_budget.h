// The sparsity of every layer that costs the network's output least within a time.
#pragma once

#include <vector>

#include "sparsity/allocation/layer_times.h"
#include "sparsity/allocation/sensitivity.h"

namespace sparsify {

/// One thing that a layer may do.
struct TimeOption {
  double sparsity = 0;
  double loss = 0;
  double ms = 0;
};

struct TimeSolution {
  std::vector<double> sparsity;  // fraction of each curve's layer
  double loss = 0;               // Σ of the curves there
  double ms = 0;                 // of the network, by the model
};

/// The network's time is modelled as the sum of its layers' times, each a function of that layer's
/// sparsity alone (CurveOf), and the rest. A layer stays dense or takes a sparsity that was timed
/// or lies between two that were: multiples of 0.01 and the timed ones, or the only point of its
/// sensitivity curve.
class TimeModel {
 public:
  /// `curves` and the layers of `times` must be the same layers in the same order. Throws Error
  /// otherwise.
  TimeModel(const std::vector<SensitivityCurve>& curves, const LayerTimes& times,
            double max_layer_sparsity);

  /// Nothing pruned.
  double dense_ms() const;
  /// Every layer at its fastest: no solution is faster.
  double fastest_ms() const;

  /// The choice of least summed loss whose time is at most `limit_ms`, by dynamic programming over
  /// the time spent beyond fastest_ms() in 10,000 parts, each layer's share rounded up: the limit
  /// holds exactly, the loss is that of a limit shorter by at most a layer's part each. Throws
  /// Error when `limit_ms` is below fastest_ms().
  TimeSolution Solve(double limit_ms) const;

 private:
  std::vector<std::vector<TimeOption>> layers_;  // the first of each is dense
  double rest_ms_ = 0;
};

}  // namespace sparsify
