// Conv: 2-D convolution with groups, dilation, asymmetric pads and auto_pad.
#pragma once

#include <vector>

#include "sparsity/ops/onednn.h"
#include "sparsity/ops/op.h"

namespace sparsify {

/// Sizes of a Conv node for an N×I×H×W input and an O×I/groups×KH×KW weight. Throws Error
/// naming the node when they do not fit each other.
ConvProblem ResolveConv(const Node& node, const Shape& input, const Shape& weight, bool has_bias);

std::vector<Shape> ConvOutputShapes(const Node& node, OpShapes inputs);
void ConvForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void ConvBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);

}  // namespace sparsify
