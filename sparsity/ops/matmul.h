// MatMul as in numpy, batched over leading dimensions. Attribute transB = 1: the right
// operand stores its last two dimensions swapped (a weight as O×I).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> MatMulOutputShapes(const Node& node, OpShapes inputs);
void MatMulForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void MatMulBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                    OpOutputs grad_inputs);

}  // namespace sparsify
