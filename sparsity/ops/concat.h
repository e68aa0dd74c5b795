// Concat along one axis.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> ConcatOutputShapes(const Node& node, OpShapes inputs);
void ConcatForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void ConcatBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                    OpOutputs grad_inputs);

}  // namespace sparsify
