// Which operators compute on channel blocks (channel_blocks.h), and those that do.
#pragma once

#include <vector>

#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/op.h"
#include "sparsity/ops/precision.h"

namespace sparsify {

/// Whether each element of y depends on the same element of the first input, and on what belongs to
/// its channel, alone: in channel blocks (batch norm in training) as on plain memory.
bool ActsOnElements(OpType type);

/// Whether input i of a node lies as NodeBlocks::x says: of a convolution and a batch norm only the
/// first does, weights and what is for a channel each are plain.
bool LiesAsX(const Node& node, size_t i);

/// The fastest way for a node with inputs of these shapes, of which those lie in blocks that
/// `lies` says, and whose output a depthwise convolution reads or not (ConvSurroundings).
/// `has_parameter`: one of the inputs is a parameter, which has no blocks.
NodeBlocks ChooseNodeBlocks(const Node& node, OpShapes inputs, const std::vector<bool>& lies,
                            bool has_parameter, bool feeds_depthwise);

/// Forward and Backward (op.h) with activations and their gradients laid out like that, in f32 or,
/// for nodes without a F32Reason, bf16. Batch norm in training is not among them.
void LaidOutForward(const Node& node, const NodeBlocks& blocks, Precision precision,
                    OpInputs inputs, OpOutputs outputs);
void LaidOutBackward(const Node& node, const NodeBlocks& blocks, Precision precision,
                     OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                     OpOutputs grad_inputs);

}  // namespace sparsify
