// Add and Mul with numpy broadcasting.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> BroadcastOutputShapes(const Node& node, OpShapes inputs);
void AddForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void MulForward(const Node& node, OpInputs inputs, OpOutputs outputs);
/// The gradient of a broadcast input is summed over the dimensions it was repeated along.
void AddBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                 OpOutputs grad_inputs);
void MulBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                 OpOutputs grad_inputs);

}  // namespace sparsify
