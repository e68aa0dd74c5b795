// Transpose by the attribute perm (absent: dimensions reversed).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> TransposeOutputShapes(const Node& node, OpShapes inputs);
void TransposeForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void TransposeBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                       OpOutputs grad_inputs);

}  // namespace sparsify
