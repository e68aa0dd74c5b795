// MaxPool and AveragePool over height and width. AveragePool divides by the window's positions
// inside the input, or with count_include_pad inside the explicitly padded input.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> PoolOutputShapes(const Node& node, OpShapes inputs);
void MaxPoolForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void AveragePoolForward(const Node& node, OpInputs inputs, OpOutputs outputs);
/// MaxPool: the first of equal maxima in a window takes the gradient.
void MaxPoolBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                     OpOutputs grad_inputs);
void AveragePoolBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                         OpOutputs grad_inputs);

}  // namespace sparsify
