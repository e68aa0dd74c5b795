// Gemm: y = alpha · op(A) · op(B) + beta · C, C broadcast to y (ONNX).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> GemmOutputShapes(const Node& node, OpShapes inputs);
void GemmForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void GemmBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);

}  // namespace sparsify
