#include "sparsity/ops/precision.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "sparsity/base/error.h"
#include "sparsity/ops/conv.h"
#include "sparsity/ops/depthwise.h"
#include "sparsity/ops/gemm.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

// Multiply-adds for each number that is rounded or reordered (inputs, weights, outputs): what f32
// takes for them is then as long as the rounding. Measured with AMX: 3×3 convolutions of 64
// channels have 290 and take a fifth of the time, 1×1 convolutions have 20 and take 1.3 times as
// long, with 55 they take 0.85 times as long.
constexpr int64_t kLeastIntensity = 40;

// A row of factors in AMX; of images with their three channels most of it would stay empty.
constexpr int64_t kLeastInputs = 16;

bool IsWorthRounding(const ConvProblem& p, int64_t weights) {
  const int64_t outputs = p.out_channels * p.window.height.output * p.window.width.output;
  const int64_t inputs = p.in_channels * p.window.height.input * p.window.width.input;
  const int64_t macs = p.batch * outputs * (weights / p.out_channels);
  return macs >= kLeastIntensity * (p.batch * (inputs + outputs) + weights);
}

}  // namespace

Precision PrecisionOf(std::string_view word) {
  return word == "bf16" ? Precision::kBf16 : Precision::kF32;
}

void CheckPrecision(Precision precision, std::string_view key) {
  if (precision != Precision::kBf16) return;
  const std::string obstacle = Bf16Obstacle();
  if (obstacle.empty()) return;
  FailUsage(key, "bf16 would be slower than f32 here: {}; use f32", obstacle);
}

std::string CountBf16Layers(const Graph& graph, const std::vector<Layer>& layers,
                            const std::vector<Shape>& shapes) {
  std::map<std::string, int64_t> reasons;
  int64_t rounded = 0;
  for (const Layer& layer : layers) {
    std::vector<Shape> inputs;
    for (const ValueId id : graph.node(layer.node).inputs) {
      inputs.push_back(id == kNoValue ? Shape{0} : shapes[static_cast<size_t>(id)]);
    }
    const std::string reason = F32Reason(graph.node(layer.node), inputs);
    ++(reason.empty() ? rounded : reasons[reason]);
  }
  std::string others;
  for (const auto& [reason, count] : reasons) {
    others += fmt::format("{}{} ({})", others.empty() ? "; f32: " : ", ", count, reason);
  }
  return fmt::format("{} of {} layers compute in bf16{}", rounded, layers.size(), others);
}

std::string F32Reason(const Node& node, OpShapes inputs) {
  std::optional<ConvProblem> problem;
  if (node.type == OpType::kConv) {
    problem = ResolveConv(node, inputs[0], inputs[1], HasInput(node, 2));
    if (IsDepthwise(*problem)) return "depthwise";
  } else if (node.type == OpType::kGemm) {
    problem = GemmAsConv(node, inputs);
  }
  if (!problem) return "of a form that has no bf16 kernels";
  if (inputs[1][1] < kLeastInputs) {
    return fmt::format("fewer than {} input channels a group", kLeastInputs);
  }
  if (!IsWorthRounding(*problem, inputs[1].NumElements())) {
    return "too few multiply-adds to win by bf16";
  }
  problem->bf16 = true;
  return OnednnHasBf16Kernels(*problem) ? "" : "no bf16 kernels on this machine";
}

}  // namespace sparsify
