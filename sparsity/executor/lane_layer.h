// Convolutions and fully connected layers over the lane layout.
#pragma once

#include <vector>

#include "sparsity/executor/lane_kernel.h"

namespace sparsify {

/// Candidates of a step with a weight: sparse variants, depthwise, or the dense variant.
std::vector<LaneCandidate> LaneLayerCandidates(const FusedGraph& graph, const FusedStep& step,
                                               const LaneOptions& options);

}  // namespace sparsify
