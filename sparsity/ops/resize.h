// Resize by the attributes scales or sizes (for all dimensions, or for those in axes; a size of −1
// keeps a dimension), modes nearest and linear, axis by axis. Coordinates are computed in single
// precision, as in ONNX Runtime, so that both pick the same neighbour.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> ResizeOutputShapes(const Node& node, OpShapes inputs);
void ResizeForward(const Node& node, OpInputs inputs, OpOutputs outputs);

}  // namespace sparsify
