// Conv: 2-D convolution with groups, dilation, asymmetric pads and auto_pad.
#pragma once

#include <vector>

#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/onednn.h"
#include "sparsity/ops/op.h"
#include "sparsity/ops/precision.h"

namespace sparsify {

/// Sizes of a Conv node for an N×I×H×W input and an O×I/groups×KH×KW weight. Throws Error
/// naming the node when they do not fit each other.
ConvProblem ResolveConv(const Node& node, const Shape& input, const Shape& weight, bool has_bias);

std::vector<Shape> ConvOutputShapes(const Node& node, OpShapes inputs);

/// Where a convolution stands in a pass.
struct ConvSurroundings {
  bool x_is_blocked = false;     // how x lies now
  bool feeds_depthwise = false;  // a depthwise convolution reads y, or what is computed from it
};

/// What is fastest for this input and weight. No blocks where groups (unless depthwise) or the
/// numbers of channels stand in the way, or where this machine has no kernels for them.
NodeBlocks ChooseConvBlocks(const Node& node, const Shape& input, const Shape& weight,
                            const ConvSurroundings& around);
/// ConvForward and ConvBackward with activations and their gradients laid out like that. kBf16: for
/// nodes without a F32Reason.
void BlockedConvForward(const Node& node, const NodeBlocks& blocks, Precision precision,
                        OpInputs inputs, OpOutputs outputs);
void BlockedConvBackward(const Node& node, const NodeBlocks& blocks, Precision precision,
                         OpInputs inputs, OpInputs grad_outputs, OpOutputs grad_inputs);

void ConvForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void ConvBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);

}  // namespace sparsify
