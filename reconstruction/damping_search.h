// How hard a layer's weights are pulled towards the dense ones, by the loss on images held back.
//
// The covariance of a layer's inputs is that of a thousand images, which are not independent
// samples: with little damping the solution, and a mask by exact OBS still more, leans on how
// inputs happen to go together in them. The right damping differs a hundredfold between networks
// and layers. It is chosen as ridge parameters are: solve on a part of the images, judge on the
// rest (Hastie, Tibshirani & Friedman, "The Elements of Statistical Learning", 2nd ed., §7.10).
#pragma once

#include <vector>

#include "reconstruction/layer_method.h"

namespace sparsify {

struct DampingTrial {
  double damping = 0;
  double loss = 0;  // on the images held back, as a share of the targets' variance there
};

struct DampingChoice {
  double damping = 0;                // the best of the trials
  std::vector<DampingTrial> trials;  // in the order made; empty when no image is held back
};

/// Tries options.damping first (the nearest in 1e-4 … 10), and then goes up by factors of √10 or
/// else down, within these bounds, while the loss falls. A trial solves some 64 outputs, evenly
/// spread over the layer, by the layer's method (ADMM with 40 iterations) on seven of eight images
/// and takes the loss from the eighth. Without images held back (StatisticsOptions::hold_back, or
/// fewer than eight images) or with constant targets, options.damping stays.
DampingChoice SearchDamping(const LayerStatistics& statistics, const Tensor& dense,
                            const Mask& mask, const LayerRepairOptions& options);

}  // namespace sparsify
