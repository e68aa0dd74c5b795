#include "sparsity/ops/node_blocks.h"

#include "sparsity/ops/channel_scale.h"
#include "sparsity/ops/conv.h"
#include "sparsity/ops/gemm.h"
#include "sparsity/ops/pool.h"

namespace sparsify {
namespace {

std::vector<Shape> ShapesOf(OpInputs tensors) {
  std::vector<Shape> shapes;
  for (const Tensor* tensor : tensors) shapes.push_back(tensor->shape());
  return shapes;
}

// Of tensors of one shape either may lie in blocks; of a channel's factor it does not matter.
NodeBlocks ChooseBinaryBlocks(const Node& node, OpShapes inputs, const std::vector<bool>& lies,
                              bool has_parameter) {
  bool blocks = false;
  if (inputs[0] == inputs[1]) {
    blocks = !has_parameter && (lies[0] || lies[1]);
  } else if (node.type == OpType::kMul) {
    const int scaled = ScaledInput(inputs);
    blocks = scaled >= 0 && lies[static_cast<size_t>(scaled)];
  }
  return {blocks, blocks};
}

// Whether a Mul is by a factor a channel.
bool ScalesChannels(const Node& node, OpInputs inputs) {
  return node.type == OpType::kMul && inputs[0]->shape() != inputs[1]->shape();
}

}  // namespace

bool ActsOnElements(OpType type) {
  switch (type) {
    case OpType::kBatchNormalization:
    case OpType::kRelu:
    case OpType::kClip:
    case OpType::kSigmoid:
    case OpType::kHardSigmoid:
    case OpType::kHardSwish:
    case OpType::kSiLU:
    case OpType::kIdentity:
    case OpType::kDropout:
      return true;
    default:
      return false;
  }
}

bool LiesAsX(const Node& node, size_t i) {
  return i == 0 || (node.type != OpType::kConv && node.type != OpType::kBatchNormalization);
}

NodeBlocks ChooseNodeBlocks(const Node& node, OpShapes inputs, const std::vector<bool>& lies,
                            bool has_parameter, bool feeds_depthwise) {
  switch (node.type) {
    case OpType::kConv:
      return ChooseConvBlocks(node, inputs[0], inputs[1], {lies[0], feeds_depthwise});
    case OpType::kGlobalAveragePool:
      return {lies[0], false};
    case OpType::kMaxPool:
      return {lies[0], lies[0]};
    case OpType::kAdd:
    case OpType::kMul:
      return ChooseBinaryBlocks(node, inputs, lies, has_parameter);
    default:
      return ActsOnElements(node.type) ? NodeBlocks{lies[0], lies[0]} : NodeBlocks{};
  }
}

void LaidOutForward(const Node& node, const NodeBlocks& blocks, Precision precision,
                    OpInputs inputs, OpOutputs outputs) {
  const bool bf16 = precision == Precision::kBf16;
  if (node.type == OpType::kConv && (blocks.x || blocks.y || bf16)) {
    BlockedConvForward(node, blocks, precision, inputs, outputs);
  } else if (bf16) {
    Bf16GemmForward(node, inputs, outputs);
  } else if (node.type == OpType::kGlobalAveragePool && blocks.x) {
    ChannelMeansBlocked(*inputs[0], *outputs[0]);
  } else if (node.type == OpType::kMaxPool && blocks.x) {
    MaxPoolBlocked(node, *inputs[0], *outputs[0]);
  } else if (blocks.x && ScalesChannels(node, inputs)) {
    const auto scaled = static_cast<size_t>(ScaledInput(ShapesOf(inputs)));
    ScaleChannelsBlocked(*inputs[scaled], *inputs[1 - scaled], *outputs[0]);
  } else {
    Forward(node, inputs, outputs);
  }
}

void LaidOutBackward(const Node& node, const NodeBlocks& blocks, Precision precision,
                     OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                     OpOutputs grad_inputs) {
  const bool bf16 = precision == Precision::kBf16;
  if (node.type == OpType::kConv && (blocks.x || blocks.y || bf16)) {
    BlockedConvBackward(node, blocks, precision, inputs, grad_outputs, grad_inputs);
  } else if (bf16) {
    Bf16GemmBackward(node, inputs, grad_outputs, grad_inputs);
  } else if (node.type == OpType::kGlobalAveragePool && blocks.x) {
    if (grad_inputs[0] != nullptr) ChannelMeansBlockedBackward(*grad_outputs[0], *grad_inputs[0]);
  } else if (node.type == OpType::kMaxPool && blocks.x) {
    if (grad_inputs[0] != nullptr) {
      MaxPoolBlockedBackward(node, *inputs[0], *outputs[0], *grad_outputs[0], *grad_inputs[0]);
    }
  } else if (blocks.x && ScalesChannels(node, inputs)) {
    const auto scaled = static_cast<size_t>(ScaledInput(ShapesOf(inputs)));
    ScaleChannelsBlockedBackward(*inputs[scaled], *inputs[1 - scaled], *grad_outputs[0],
                                 grad_inputs[scaled], grad_inputs[1 - scaled]);
  } else {
    Backward(node, inputs, outputs, grad_outputs, grad_inputs);
  }
}

}  // namespace sparsify
