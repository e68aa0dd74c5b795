// Times the dense and the sparse plan of a model file, layer by layer and end to end, after
// checking the sparse one's outputs. Weights are pruned by magnitude, each layer alike.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/executor/measure.h"
#include "sparsity/executor/plan.h"
#include "sparsity/executor/plan_batch.h"
#include "sparsity/io/onnx.h"

namespace sparsify {
namespace {

struct BenchOptions {
  std::string model;
  int64_t batch = 8;
  int threads = 1;
  double sparsity = 0.5;
  int64_t repetitions = 20;
  bool layers = true;
  bool winograd = true;
};

/// Zeroes the smallest `sparsity` of every Conv and Gemm weight; depthwise ones stay.
void PruneByMagnitude(Graph& graph, double sparsity) {
  for (const Node& node : graph.nodes()) {
    if (node.type != OpType::kConv && node.type != OpType::kGemm) continue;
    Value& weight = graph.mutable_value(node.inputs[1]);
    const bool depthwise = node.type == OpType::kConv && weight.data.shape()[1] == 1 &&
                           node.attributes.Int("group", 1) > 1;
    if (!weight.is_parameter || depthwise) continue;
    std::vector<float> sizes;
    for (float w : weight.data.values()) sizes.push_back(std::abs(w));
    const auto cut = static_cast<ptrdiff_t>(sparsity * static_cast<double>(sizes.size()));
    if (cut == 0) continue;
    std::nth_element(sizes.begin(), sizes.begin() + cut - 1, sizes.end());
    const float threshold = sizes[static_cast<size_t>(cut - 1)];
    for (float& w : weight.data.values()) {
      if (std::abs(w) <= threshold) w = 0;
    }
  }
}

void PrintLayers(const Plan& plan) {
  const PlanBatch images(plan);
  const std::vector<double> times = plan.Profile(images.in, images.out, 5);
  double total = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    const StepReport& step = plan.report().steps[i];
    total += times[i];
    fmt::print("{:<40.40} {:<20.20} {:<34.34} {:>8.3f} ms {:>7.1f} GFLOP/s  {:>4.0f} %  {}\n",
               step.name, step.op, step.kernel, times[i],
               2e-6 * static_cast<double>(step.macs) / times[i], 100 * step.sparsity, step.reason);
  }
  fmt::print("{:<96} {:>8.3f} ms\n", "sum of the least times", total);
}

void RunBench(const BenchOptions& options) {
  Graph graph = LoadOnnx(options.model);
  PruneByMagnitude(graph, options.sparsity);
  BenchmarkOptions benchmark;
  benchmark.repetitions = options.repetitions;
  benchmark.winograd = options.winograd;
  const SpeedRow row = MeasureSpeedup(graph, options.batch, options.threads, benchmark);
  if (options.layers) {
    PrintLayers(Plan(graph, {.batch = options.batch,
                             .threads = options.threads,
                             .allow_sparse = options.sparsity > 0,
                             .winograd = options.winograd}));
  }
  fmt::print("{}: batch {}, threads {}, {}, {}, sparsity {:.0f} %\n", graph.name, row.batch,
             row.threads, row.precision, row.isa, row.sparsity);
  fmt::print("dense  {:.3f} ms least, {:.3f} ms median\n", row.dense.min_ms, row.dense.median_ms);
  fmt::print("direct dense {:.3f} ms least, {:.3f} ms median: speed-up {:.3f}\n", row.direct.min_ms,
             row.direct.median_ms, row.speedup_direct);
  fmt::print("sparse {:.3f} ms least, {:.3f} ms median\n", row.sparse.min_ms, row.sparse.median_ms);
  fmt::print("speed-up {:.3f} (least) {:.3f} (median), error {:.2g}, steal {:.1f} %\n",
             row.speedup_min, row.speedup, row.max_error, row.steal_percent);
  fmt::print("DAGs {}, constants {:.2f} MB, blob {:.2f} MB, bandwidth {:.2f} MB\n",
             row.plan.fused_steps, 1e-6 * static_cast<double>(row.plan.constant_bytes),
             1e-6 * static_cast<double>(row.plan.arena_bytes),
             1e-6 * static_cast<double>(row.plan.bandwidth_bytes));
}

}  // namespace
}  // namespace sparsify

int main(int argc, char** argv) {
  sparsify::BenchOptions options;
  CLI::App app("Times the dense and the sparse plan of a model.");
  app.add_option("model", options.model, "ONNX file")->required();
  app.add_option("--batch", options.batch, "images a run");
  app.add_option("--threads", options.threads, "worker threads");
  app.add_option("--sparsity", options.sparsity, "fraction of each layer's weights to zero")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--repetitions", options.repetitions, "timed runs of each plan");
  app.add_flag("--winograd,!--no-winograd", options.winograd,
               "Winograd's algorithm in dense layers");
  app.add_flag("--layers,!--no-layers", options.layers, "print the time of each layer");
  CLI11_PARSE(app, argc, argv);
  try {
    sparsify::RunBench(options);
  } catch (const sparsify::Error& error) {
    fmt::print(stderr, "plan_bench: error: {}\n", error.what());
    return error.ExitCode();
  }
  return 0;
}
