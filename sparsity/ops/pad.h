// Pad by the attributes pads (all begins, then all ends), constant_value, mode (constant, reflect,
// edge) and axes. Negative pads crop; in modes reflect and edge they are refused.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> PadOutputShapes(const Node& node, OpShapes inputs);
void PadForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void PadBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                 OpOutputs grad_inputs);

}  // namespace sparsify
