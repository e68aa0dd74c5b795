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
/// The same in channel blocks (channel_blocks.h); `y` is what MaxPoolBlocked gave. A window of NaN
/// alone has no gradient.
void MaxPoolBlocked(const Node& node, const Tensor& x, Tensor& y);
void MaxPoolBlockedBackward(const Node& node, const Tensor& x, const Tensor& y,
                            const Tensor& grad_y, Tensor& grad_x);
void AveragePoolBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                         OpOutputs grad_inputs);

}  // namespace sparsify
