// Random weights for a network that is trained from scratch.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

/// Convolutions: normal with variance 2 / (output channels / groups · kernel area) (He et al.,
/// "Delving Deep into Rectifiers", ICCV 2015, eq. 14). Fully connected: uniform in ±1/√inputs.
/// Biases of both 0. Batch norm: scale 1, bias 0, mean 0, variance 1. Other parameters stay.
void InitializeNetwork(Graph& graph, const std::vector<Layer>& layers, uint64_t seed);

}  // namespace sparsify
