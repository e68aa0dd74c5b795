// Softmax over one axis (ONNX opset 13 meaning; default: the last axis).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> SoftmaxOutputShapes(const Node& node, OpShapes inputs);
void SoftmaxForward(const Node& node, OpInputs inputs, OpOutputs outputs);

}  // namespace sparsify
