// Transpose by the attribute perm (absent: dimensions reversed).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> TransposeOutputShapes(const Node& node, OpShapes inputs);
void TransposeForward(const Node& node, OpInputs inputs, OpOutputs outputs);

}  // namespace sparsify
