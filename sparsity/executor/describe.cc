#include "sparsity/executor/describe.h"

#include <vector>

namespace sparsify {
namespace {

/// Of a step's operands and results in the layouts of its kernel, and of the values within it,
/// which are both.
int64_t ActivationBytes(const FusedGraph& graph, const FusedStep& step, const KernelInfo& info) {
  const auto bytes = [&](ValueId id, const Layout& layout) {
    return LayoutBytes(layout, graph.shapes[static_cast<size_t>(id)]);
  };
  int64_t total = 2 * info.inner_bytes;
  const std::vector<ValueId> operands = step.Operands();
  for (size_t i = 0; i < operands.size(); ++i) total += bytes(operands[i], info.inputs[i]);
  for (size_t i = 0; i < step.outputs.size(); ++i) total += bytes(step.outputs[i], info.outputs[i]);
  return total;
}

}  // namespace

double WeightSparsity(const FusedGraph& graph, const FusedStep& step) {
  if (step.weight == kNoValue) return 0;
  const Tensor& weight = graph.graph.value(step.weight).data;
  return static_cast<double>(CountZeros(weight)) / static_cast<double>(weight.size());
}

StepReport DescribeCall(const FusedGraph& graph, const LoweredCall& call) {
  StepReport report;
  report.kernel = call.kernel->info().name;
  report.constant_bytes = call.kernel->info().constant_bytes;
  if (call.step < 0) {
    const KernelInfo& info = call.kernel->info();
    report.name = graph.graph.value(call.value).name;
    report.op = info.inputs[0] == info.outputs[0] ? "Copy" : "Reorder";
    return report;
  }
  const FusedStep& step = graph.steps[static_cast<size_t>(call.step)];
  report.name = step.name;
  report.op = step.op;
  report.is_layer = step.is_layer;
  report.macs = step.macs;
  report.activation_bytes = ActivationBytes(graph, step, call.kernel->info());
  report.winograd = step.winograd && report.kernel.starts_with("onednn");
  if (step.is_layer) report.sparsity = WeightSparsity(graph, step);
  return report;
}

}  // namespace sparsify
