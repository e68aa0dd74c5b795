#include "sparsity/cli/measure_level.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/executor/layer_rate.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

std::string Megabytes(int64_t bytes) {
  return fmt::format("{:.3f}", static_cast<double>(bytes) / 1e6);
}

std::string Milliseconds(double ms) { return fmt::format("{:.4f}", ms); }

std::string MethodName(const PreparedRun& run) {
  const SparsityOptions& s = run.config.sparsity;
  std::string work = s.reconstruction ? "/" + s.reconstruction->method : "";
  if (run.training) work = "/" + s.scheduler.type;
  const auto own = run.scheduler ? run.scheduler->OwnGenerator() : nullptr;
  return fmt::format("{}/{}{}", own ? own->type() : s.mask_generator.type, run.allocation.type,
                     work);
}

/// The layers that run dense, separated by blanks.
std::string DenseLayers(const PlanReport& plan) {
  std::vector<std::string> names;
  for (const StepReport& step : plan.steps) {
    if (step.is_layer && !step.reason.empty()) names.push_back(step.name);
  }
  return fmt::format("{}", fmt::join(names, " "));
}

std::vector<std::string> SpeedupRow(const std::string& network, const SpeedRow& row) {
  return {network,
          fmt::format("{}", row.batch),
          fmt::format("{}", row.threads),
          row.precision,
          row.isa,
          FormatPercent(row.sparsity),
          fmt::format("{}", row.plan.fused_steps),
          Milliseconds(row.sparse.median_ms),
          fmt::format("{:.3f}", row.speedup),
          Megabytes(row.plan.constant_bytes),
          Megabytes(row.plan.arena_bytes),
          Megabytes(row.plan.bandwidth_bytes),
          Milliseconds(row.dense.median_ms),
          Milliseconds(row.sparse.min_ms),
          Milliseconds(row.dense.min_ms),
          fmt::format("{:.3f}", row.speedup_min),
          fmt::format("{:.2e}", row.max_error),
          fmt::format("{:.1f}", row.steal_percent),
          Milliseconds(row.direct.median_ms),
          fmt::format("{:.3f}", row.speedup_direct),
          DenseLayers(row.plan),
          fmt::format("{:.1f}", row.peak.gflops),
          fmt::format("{:.1f}", row.peak.gigabytes_per_second),
          fmt::format("{}", row.streams),
          fmt::format("{:.2f}", row.ImagesPerSecond()),
          fmt::format("{:.2f}", row.DenseImagesPerSecond())};
}

const StepReport* FindStep(const std::vector<SpeedRow>& rows, const std::string& layer) {
  if (rows.empty()) return nullptr;
  const std::vector<StepReport>& steps = rows.front().plan.steps;
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const StepReport& step) {
    return step.is_layer && step.name == layer;
  });
  return found == steps.end() ? nullptr : &*found;
}

/// Speed-up, rate, percent of the peak and intensity of a layer; empty where it was not timed.
std::vector<std::string> RateCells(const StepReport* step, const std::vector<SpeedRow>& rows) {
  if (step == nullptr || step->time_ms <= 0) return {"", "", "", ""};
  const double rate = Gigaflops(*step);
  const double peak = rows.front().peak.gflops;
  return {fmt::format("{:.3f}", KernelSpeedup(*step)), fmt::format("{:.2f}", rate),
          peak > 0 ? fmt::format("{:.2f}", 100 * rate / peak) : "",
          fmt::format("{:.3f}", FlopPerByte(*step))};
}

void WarnOfDisturbance(const SpeedRow& row) {
  if (!IsDisturbed(row)) return;
  Warn(
      "{}: other programs disturbed the timing (dense median {:.2f} ms, minimum "
      "{:.2f} ms; sparse {:.2f} and {:.2f} ms); repeat it on a quiet machine. The ratio of the "
      "minima is {:.2f}",
      row.Name(), row.dense.median_ms, row.dense.min_ms, row.sparse.median_ms, row.sparse.min_ms,
      row.speedup_min);
}

}  // namespace

bool IsDisturbed(const SpeedRow& row) {
  constexpr double kDisturbed = 1.3;
  return row.dense.median_ms >= kDisturbed * row.dense.min_ms ||
         row.sparse.median_ms >= kDisturbed * row.sparse.min_ms;
}

Evaluation EvaluateNetwork(const PreparedRun& run, const Graph& graph, const std::string& title,
                           const std::vector<int64_t>* dense_predictions) {
  EvaluateOptions options;
  options.batch = UsableBatch(graph, run.config.evaluation.batch);
  options.label_offset = run.config.data.transform.label_offset;
  options.reference = dense_predictions;
  options.progress = title;
  return Evaluate(*run.evaluation, DenseForward(graph, options.batch), options);
}

std::vector<std::string> AccuracyRow(const PreparedRun& run, double percent, double achieved,
                                     const Evaluation& evaluation) {
  return {run.network,
          percent == 0 ? "dense" : MethodName(run),
          FormatPercent(percent),
          fmt::format("{:.2f}", achieved * 100),
          fmt::format("{:.2f}", evaluation.top1),
          fmt::format("{:.2f}", evaluation.top5),
          fmt::format("{:.2f}", evaluation.agreement),
          fmt::format("{:.4f}", evaluation.loss),
          fmt::format("{}", evaluation.images),
          fmt::format("{:.2f}", evaluation.seconds)};
}

void WarnOfCollapse(double percent, double dense_top1, double sparse_top1, int64_t classes,
                    bool repaired) {
  const double chance = 100.0 / static_cast<double>(classes);
  const double near_chance = std::min(2 * chance, chance + 10);
  if (sparse_top1 >= std::max(near_chance, dense_top1 / 2) || dense_top1 < 2 * near_chance) return;
  Warn(
      "accuracy has collapsed at {} %: top-1 {:.2f} % (dense {:.2f} %, guessing {:.2f} %); prune "
      "less, or {}",
      FormatPercent(percent), sparse_top1, dense_top1, chance,
      repaired ? "repair with more images or by another method"
               : "repair the weights (sparsity.reconstruction) or train them (training)");
}

std::vector<SpeedRow> MeasureAll(const Graph& graph, const BenchmarkOptions& options) {
  std::vector<SpeedRow> rows;
  for (const int64_t batch : options.batch) {
    for (const int64_t threads : options.threads) {
      for (const int64_t streams : options.streams) {
        ThrowIfInterrupted();
        rows.push_back(MeasureSpeedup(graph, batch, static_cast<int>(threads), options,
                                      static_cast<int>(streams)));
        WarnOfDisturbance(rows.back());
      }
    }
  }
  return rows;
}

std::vector<SpeedRow> MeasureNetwork(const PreparedRun& run, const Graph& graph, double percent) {
  if (!run.config.benchmark) return {};
  std::vector<SpeedRow> rows = MeasureAll(graph, *run.config.benchmark);
  for (SpeedRow& row : rows) row.sparsity = percent;
  return rows;
}

std::vector<std::string> SpeedupCells(const PreparedRun& run, const std::vector<SpeedRow>& rows) {
  std::vector<std::string> cells;
  for (const SpeedRow& row : rows) {
    const auto row_cells = SpeedupRow(run.network, row);
    cells.insert(cells.end(), row_cells.begin(), row_cells.end());
  }
  return cells;
}

std::vector<std::string> RepairCells(double percent, const std::vector<RepairedUnit>& units) {
  std::vector<std::string> cells;
  for (const RepairedUnit& unit : units) {
    const std::vector<std::string> row = {FormatPercent(percent),
                                          unit.name,
                                          fmt::format("{:.6f}", unit.loss_before),
                                          fmt::format("{:.6f}", unit.loss_after),
                                          fmt::format("{}", unit.steps),
                                          fmt::format("{}", unit.samples),
                                          fmt::format("{:.3f}", unit.seconds),
                                          unit.remark,
                                          unit.unrepaired};
    cells.insert(cells.end(), row.begin(), row.end());
  }
  return cells;
}

std::vector<std::string> TimesCells(double percent, const PhaseClock& clock) {
  std::vector<std::string> cells;
  for (const auto& [phase, seconds] : clock.phases()) {
    const std::vector<std::string> row = {FormatPercent(percent), phase,
                                          fmt::format("{:.2f}", seconds), Megabytes(PeakMemory())};
    cells.insert(cells.end(), row.begin(), row.end());
  }
  return cells;
}

std::vector<std::string> LayerCells(const PreparedRun& run, double percent,
                                    const std::vector<LayerSparsity>& layers,
                                    const std::vector<SpeedRow>& rows) {
  std::vector<std::string> cells;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = run.layers[i];
    const StepReport* step = FindStep(rows, layer.name);
    std::vector<std::string> row = {
        FormatPercent(percent),
        layer.name,
        layer.weight_shape.ToString(),
        fmt::format("{}", layer.macs),
        fmt::format("{}", layer.parameters),
        fmt::format("{:.2f}", layers[i].requested * 100),
        fmt::format("{:.2f}", layers[i].achieved * 100),
        layers[i].skipped,
        step != nullptr ? step->kernel : "",
        step != nullptr && step->dense_time_ms > 0 ? Milliseconds(step->dense_time_ms) : "",
        step != nullptr && step->time_ms > 0 ? Milliseconds(step->time_ms) : "",
        step != nullptr ? step->reason : ""};
    for (std::string& cell : RateCells(step, rows)) row.push_back(std::move(cell));
    cells.insert(cells.end(), row.begin(), row.end());
  }
  return cells;
}

}  // namespace sparsify
