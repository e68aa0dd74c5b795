#include "sparsity/cli/bench_model.h"

#include <fmt/format.h>

#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/options.h"
#include "sparsity/base/processor.h"
#include "sparsity/cli/measure_level.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/run_checks.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/report/csv.h"

namespace sparsify {
namespace {

struct BenchmarkDocument {
  BenchmarkOptions benchmark;
  void VisitFields(OptionVisitor& v) { v.Section("benchmark", benchmark, "what is measured"); }
};

std::string Ms(double ms) { return fmt::format("{:.3f}", ms); }
std::string Mb(int64_t bytes) { return fmt::format("{:.2f}", 1e-6 * static_cast<double>(bytes)); }

std::vector<std::string> Summary(const SpeedRow& row) {
  return {fmt::format("{}", row.batch),
          fmt::format("{}", row.threads),
          fmt::format("{}", row.streams),
          Ms(row.sparse.median_ms),
          Ms(row.sparse.min_ms),
          Ms(row.dense.median_ms),
          Ms(row.dense.min_ms),
          fmt::format("{:.3f}", row.speedup),
          fmt::format("{:.3f}", row.speedup_min),
          fmt::format("{:.3f}", row.speedup_direct),
          Mb(row.plan.constant_bytes),
          Mb(row.plan.arena_bytes),
          Mb(row.plan.bandwidth_bytes),
          fmt::format("{:.1f}", row.ImagesPerSecond())};
}

CsvTable LayerTable(const SpeedRow& row) {
  CsvTable table = {{"layer", "sparsity %", "kernel", "ms", "dense ms", "% of peak", "why dense"},
                    {}};
  for (const StepReport& step : row.plan.steps) {
    if (!step.is_layer) continue;
    const bool timed = step.time_ms > 0;
    const double rate = timed ? 2e-6 * static_cast<double>(step.macs) / step.time_ms : 0;
    table.rows.push_back(
        {step.name, fmt::format("{:.1f}", 100 * step.sparsity), step.kernel,
         timed ? Ms(step.time_ms) : "", step.dense_time_ms > 0 ? Ms(step.dense_time_ms) : "",
         timed && row.peak.gflops > 0 ? fmt::format("{:.1f}", 100 * rate / row.peak.gflops) : "",
         step.reason});
  }
  return table;
}

void CheckBatches(const Graph& graph, const std::string& path, const BenchmarkOptions& options) {
  for (const int64_t batch : options.batch) {
    if (UsableBatch(graph, batch) == batch) continue;
    FailUsage("benchmark.batch", "{}, but {} fixes its batch size: --set benchmark.batch=[{}]",
              batch, path, UsableBatch(graph, batch));
  }
}

}  // namespace

BenchmarkOptions ReadBenchmark(const OptionsDocument& document) {
  BenchmarkDocument read;
  document.Read(read);
  CheckBenchmark(read.benchmark, document);
  return read.benchmark;
}

std::string BenchModel(const Checkpoint& model, const std::string& path,
                       const BenchmarkOptions& options) {
  const Graph& graph = model.graph;
  if (graph.inputs.empty()) Fail(path, "the network has no input");
  RequireKnownSize(graph, path);
  CheckParametersFinite(graph, path);
  CheckBatches(graph, path, options);
  WarnOfCrowding(options, UsableProcessors());
  CsvTable summary = {{"batch", "threads", "streams", "sparse ms", "(min)", "dense ms", "(min)",
                       "speed-up", "(of minima)", "over direct dense", "constants MB",
                       "activations MB", "traffic MB", "images/s"},
                      {}};
  std::string layers;
  std::string head;
  for (const SpeedRow& row : MeasureAll(graph, options)) {
    summary.rows.push_back(Summary(row));
    layers += fmt::format("\n{}\n{}", row.Name(), FormatConsoleTable(LayerTable(row)));
    head = fmt::format("{}: {}, {:.2f} % of the layers' weights are zero; {}, {}\n", path,
                       graph.name, row.sparsity, row.precision, row.isa);
  }
  return fmt::format("{}{}{}", head, FormatConsoleTable(summary), layers);
}

}  // namespace sparsify
