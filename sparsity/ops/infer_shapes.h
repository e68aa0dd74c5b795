// Shapes of every value of a graph, bound to a batch size.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// `wanted`, or the batch size that the network's file fixes.
int64_t UsableBatch(const Graph& graph, int64_t wanted);

/// Shape of every value, indexed by ValueId, with −1 in the input's dimension 0 replaced
/// by `batch`. Parameters have their own shape. Throws Error naming the first node whose
/// inputs do not fit.
std::vector<Shape> InferShapes(const Graph& graph, int64_t batch);

/// The same with another C×H×W (or any per-image shape) for the single graph input.
std::vector<Shape> InferShapes(const Graph& graph, int64_t batch, const Shape& image_shape);

}  // namespace sparsify
