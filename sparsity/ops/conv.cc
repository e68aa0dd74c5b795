#include "sparsity/ops/conv.h"

#include "sparsity/base/parallel.h"
#include "sparsity/ops/depthwise.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {
namespace {

// grad_bias[o] = Σ over batch and positions of grad_y[·, o, ·, ·].
void BiasGradient(const Tensor& grad_y, bool blocked, Tensor& grad_bias) {
  const Shape& shape = grad_y.shape();
  const int64_t area = shape[2] * shape[3];
  if (blocked) {
    ParallelFor(shape[1] / kChannelBlock, [&](int64_t block) {
      double sums[kChannelBlock] = {};
      double squares[kChannelBlock] = {};  // not wanted
      for (int64_t n = 0; n < shape[0]; ++n) {
        const float* g = grad_y.data() + (n * shape[1] + block * kChannelBlock) * area;
        LaneDots(g, g, area, sums, squares);
      }
      for (int64_t lane = 0; lane < kChannelBlock; ++lane) {
        grad_bias[block * kChannelBlock + lane] = static_cast<float>(sums[lane]);
      }
    });
    return;
  }
  ParallelFor(shape[1], [&](int64_t channel) {
    double sum = 0;
    for (int64_t n = 0; n < shape[0]; ++n) {
      sum += PlaneSum(grad_y.data() + (n * shape[1] + channel) * area, area);
    }
    grad_bias[channel] = static_cast<float>(sum);
  });
}

// The gradient of 5×5 weights has no fast kernel on blocks.
void DepthwiseGradientsOnBlocks(const ConvProblem& problem, const Tensor& x, const float* w,
                                const Tensor& grad_y, float* grad_x, float* grad_w) {
  const bool fast = grad_w == nullptr || OnednnGradWeightTakesBlocks(problem);
  OnednnConvGradients(problem, x.data(), w, grad_y.data(), grad_x, fast ? grad_w : nullptr);
  if (fast) return;
  thread_local Tensor plain_x;  // kept: fresh memory costs as much as the gradient
  thread_local Tensor plain_grad_y;
  FromChannelBlocks(x, plain_x);
  FromChannelBlocks(grad_y, plain_grad_y);
  DepthwiseGradWeight(problem, plain_x.data(), plain_grad_y.data(), grad_w);
}

}  // namespace

ConvProblem ResolveConv(const Node& node, const Shape& input, const Shape& weight, bool has_bias) {
  if (input.rank() != 4 || weight.rank() != 4) {
    FailNode(node, "input {} and weight {} must both have 4 dimensions (2-D convolution only)",
             input.ToString(), weight.ToString());
  }
  const int64_t groups = node.attributes.Int("group", 1);
  const int64_t out_channels = weight[0];
  if (groups < 1 || out_channels % groups != 0) {
    FailNode(node, "group {} does not divide the {} output channels of weight {}", groups,
             out_channels, weight.ToString());
  }
  if (input[1] % groups != 0 || input[1] / groups != weight[1]) {
    FailNode(node, "input {} has {} channels, weight {} with group {} expects {}", input.ToString(),
             input[1], weight.ToString(), groups, weight[1] * groups);
  }
  const auto kernel = node.attributes.Ints("kernel_shape", {weight[2], weight[3]});
  if (kernel != std::vector<int64_t>{weight[2], weight[3]}) {
    FailNode(node, "kernel_shape {} differs from weight {}", Shape(kernel).ToString(),
             weight.ToString());
  }
  return {
      input[0], input[1], out_channels, groups, ResolveWindow(node, input, weight[2], weight[3]),
      has_bias};
}

std::vector<Shape> ConvOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 2, 3);
  const bool has_bias = HasInput(node, 2);
  const ConvProblem p = ResolveConv(node, inputs[0], inputs[1], has_bias);
  if (has_bias && inputs[2] != Shape{p.out_channels}) {
    FailNode(node, "bias has shape {}, [{}] expected", inputs[2].ToString(), p.out_channels);
  }
  return {{p.batch, p.out_channels, p.window.height.output, p.window.width.output}};
}

NodeBlocks ChooseConvBlocks(const Node& node, const Shape& input, const Shape& weight,
                            const ConvSurroundings& around) {
  ConvProblem problem = ResolveConv(node, input, weight, /*has_bias=*/false);
  const bool x_fits = problem.in_channels % kChannelBlock == 0;
  const bool y_fits = problem.out_channels % kChannelBlock == 0;
  if (IsDepthwise(problem)) {
    // As fast as on plain memory once x has to be moved for it.
    if (!around.x_is_blocked) return {};
    problem.x_blocked = problem.y_blocked = true;
    return OnednnConvTakesBlocks(problem) ? NodeBlocks{true, true} : NodeBlocks{};
  }
  if (problem.groups != 1) return {};
  const bool is_product = weight[2] == 1 && weight[3] == 1;
  if (is_product && !around.x_is_blocked) {
    // Products of plain matrices are fast where they lie; to pay, blocks must help the next one.
    problem.y_blocked = y_fits && around.feeds_depthwise;
  } else {
    problem.x_blocked = x_fits;
    problem.y_blocked = y_fits;
    // Images have few channels and stay plain. Blocks that end here end in the convolution.
    if (!x_fits && (is_product || problem.in_channels >= kChannelBlock)) return {};
    if (!y_fits && !around.x_is_blocked) return {};
  }
  if (!problem.x_blocked && !problem.y_blocked) return {};
  if (!OnednnConvTakesBlocks(problem) || !OnednnGradWeightTakesBlocks(problem)) return {};
  return {problem.x_blocked, problem.y_blocked};
}

void BlockedConvForward(const Node& node, const NodeBlocks& blocks, Precision precision,
                        OpInputs inputs, OpOutputs outputs) {
  const float* bias = HasInput(node, 2) ? inputs[2]->data() : nullptr;
  ConvProblem problem = ResolveConv(node, inputs[0]->shape(), inputs[1]->shape(), bias != nullptr);
  problem.x_blocked = blocks.x;
  problem.y_blocked = blocks.y;
  problem.bf16 = precision == Precision::kBf16;
  const auto run = IsDepthwise(problem) && !blocks.x ? DepthwiseConv : OnednnConv;
  run(problem, inputs[0]->data(), inputs[1]->data(), bias, outputs[0]->data());
}

void BlockedConvBackward(const Node& node, const NodeBlocks& blocks, Precision precision,
                         OpInputs inputs, OpInputs grad_outputs, OpOutputs grad_inputs) {
  ConvProblem problem =
      ResolveConv(node, inputs[0]->shape(), inputs[1]->shape(), /*has_bias=*/false);
  problem.x_blocked = blocks.x;
  problem.y_blocked = blocks.y;
  problem.bf16 = precision == Precision::kBf16;
  const float* x = inputs[0]->data();
  const float* w = inputs[1]->data();
  const Tensor& grad_y = *grad_outputs[0];
  float* grad_x = grad_inputs[0] == nullptr ? nullptr : grad_inputs[0]->data();
  float* grad_w = grad_inputs[1] == nullptr ? nullptr : grad_inputs[1]->data();
  if (!IsDepthwise(problem)) {
    OnednnConvGradients(problem, x, w, grad_y.data(), grad_x, grad_w);
  } else if (blocks.x) {
    DepthwiseGradientsOnBlocks(problem, *inputs[0], w, grad_y, grad_x, grad_w);
  } else {
    if (grad_x != nullptr) DepthwiseGradInput(problem, w, grad_y.data(), grad_x);
    if (grad_w != nullptr) DepthwiseGradWeight(problem, x, grad_y.data(), grad_w);
  }
  if (HasInput(node, 2) && grad_inputs[2] != nullptr) {
    BiasGradient(grad_y, blocks.y, *grad_inputs[2]);
  }
}

void ConvForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  BlockedConvForward(node, {}, Precision::kF32, inputs, outputs);
}

void ConvBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                  OpOutputs grad_inputs) {
  BlockedConvBackward(node, {}, Precision::kF32, inputs, grad_outputs, grad_inputs);
}

}  // namespace sparsify
