// Slice by the attributes starts, ends, axes and steps (negative steps walk backwards).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> SliceOutputShapes(const Node& node, OpShapes inputs);
void SliceForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void SliceBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                   OpOutputs grad_inputs);

}  // namespace sparsify
