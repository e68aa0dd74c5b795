// LRN across channels: y = x · (bias + alpha / size · Σ x²)^(−beta), the sum over the `size`
// channels around each (Krizhevsky et al., 2012; ONNX's rounding for an even size).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> LrnOutputShapes(const Node& node, OpShapes inputs);
void LrnForward(const Node& node, OpInputs inputs, OpOutputs outputs);

}  // namespace sparsify
