#include "sparsity/executor/winograd.h"

#include <fmt/format.h>

#include <limits>

#include "sparsity/base/interrupt.h"
#include "sparsity/executor/dense.h"
#include "sparsity/executor/describe.h"
#include "sparsity/executor/lower.h"

namespace sparsify {
namespace {

/// Fewer multiply-adds than this share are left by the smallest tiles.
constexpr double kWinogradShare = 1 / 2.25;

bool HasWinogradShape(const FusedGraph& graph, const FusedStep& step) {
  if (step.node.type != OpType::kConv || step.weight == kNoValue) return false;
  const Shape& weight = graph.shapes[static_cast<size_t>(step.weight)];
  const Attributes& attributes = step.node.attributes;
  const std::vector<int64_t> ones = {1, 1};
  return attributes.Int("group", 1) == 1 && weight[2] == 3 && weight[3] == 3 &&
         attributes.Ints("strides", ones) == ones && attributes.Ints("dilations", ones) == ones;
}

}  // namespace

Pricing::Job DenseJob(const FusedGraph& graph, const FusedStep& step, const StepKernel& kernel) {
  const auto shape = [&](ValueId id) { return graph.shapes[static_cast<size_t>(id)]; };
  Pricing::Job job;
  for (ValueId id : step.Operands()) job.inputs.push_back(shape(id));
  for (ValueId id : step.outputs) job.outputs.push_back(shape(id));
  job.macs = static_cast<double>(step.macs) * (step.winograd ? kWinogradShare : 1);
  job.key = fmt::format("{} {}", kernel.info().name, ProblemKey(graph, step));
  for (size_t i = 0; i < job.inputs.size(); ++i) {
    job.key += fmt::format(" {}", LayoutKey(kernel.info().inputs[i], job.inputs[i]));
  }
  return job;
}

void ChooseWinograd(FusedGraph& graph, const PlanOptions& options) {
  Pricing pricing(options.tune, options.threads, std::numeric_limits<double>::infinity(),
                  ExceedsCache(graph));
  for (FusedStep& step : graph.steps) {
    if (!HasWinogradShape(graph, step)) continue;
    ThrowIfInterrupted();
    const KernelPtr direct = MakeDenseKernel(graph, step, {});
    step.winograd = true;
    const KernelPtr winograd = MakeDenseKernel(graph, step, {});
    // Without a kernel of its own the library falls back to the direct one.
    if (winograd->info().name == direct->info().name) {
      step.winograd = false;
      continue;
    }
    const double winograd_ms = pricing.Price(*winograd, DenseJob(graph, step, *winograd));
    step.winograd = false;
    const double direct_ms = pricing.Price(*direct, DenseJob(graph, step, *direct));
    step.winograd = winograd_ms < direct_ms;
  }
}

}  // namespace sparsify
