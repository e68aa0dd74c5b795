// Gemm: y = alpha · op(A) · op(B) + beta · C, C broadcast to y (ONNX).
#pragma once

#include <optional>
#include <vector>

#include "sparsity/ops/onednn.h"
#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> GemmOutputShapes(const Node& node, OpShapes inputs);
void GemmForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void GemmBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);

/// A fully connected layer, y[N, O] = x[N, I] · w[O, I]ᵀ + bias[O], as a 1×1 convolution of images
/// of one pixel; nothing where the node is another product.
std::optional<ConvProblem> GemmAsConv(const Node& node, OpShapes inputs);
/// GemmForward and GemmBackward of such a layer with factors of bf16 (precision.h). Throws Error
/// naming a node that is none.
void Bf16GemmForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void Bf16GemmBackward(const Node& node, OpInputs inputs, OpInputs grad_outputs,
                      OpOutputs grad_inputs);

}  // namespace sparsify
