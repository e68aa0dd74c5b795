// Sensitivity without images: the share of each layer's energy that its mask takes away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/allocation/sensitivity.h"
#include "sparsity/graph/graph.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// A curve of every layer that is not skipped, in their order, at `levels` (fractions, increasing):
/// the loss is ‖W − M⊙W‖²/‖W‖², M the generator's mask, and stands for what pruning does to the
/// output. It knows nothing of what a layer's error does further on: measured curves are better. A
/// level at which the mask prunes no more than at the one before is left out; a layer that the
/// generator cannot prune has the single point 0.
std::vector<SensitivityCurve> EnergyCurves(const Graph& graph, const std::vector<Layer>& layers,
                                           const std::vector<std::string>& skipped,
                                           const MaskGenerator& generator,
                                           const std::vector<double>& levels, uint64_t seed);

}  // namespace sparsify
