#include "sparsity/cli/timed_targets.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "sparsity/allocation/csv_rows.h"
#include "sparsity/allocation/prune_network.h"
#include "sparsity/allocation/sensitivity_allocation.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/learned_targets.h"
#include "sparsity/cli/measure_level.h"
#include "sparsity/cli/run_times.h"
#include "sparsity/executor/profile.h"

namespace sparsify {
namespace {

constexpr double kRounding = 0.006;  // of a level's percent, which has two digits

const std::vector<std::string>& Columns() {
  static const std::vector<std::string> columns = {"target",
                                                   "unit",
                                                   "sparsity",
                                                   "predicted_ms",
                                                   "measured_ms",
                                                   "dense_ms",
                                                   "predicted_speedup",
                                                   "measured_speedup",
                                                   "saving_factor",
                                                   "rounds",
                                                   "loss",
                                                   "batch",
                                                   "threads"};
  return columns;
}

/// Fractions by layer of the network, from those of the selected layers.
std::vector<double> ByLayer(const PreparedRun& run, const std::vector<double>& selected) {
  std::vector<double> each(run.layers.size(), 0);
  size_t at = 0;
  for (size_t i = 0; i < each.size(); ++i) {
    if (run.skipped[i].empty()) each[i] = selected.at(at++);
  }
  return each;
}

/// The level's name: percent of the selected layers' weights, two digits.
double PercentOf(const PreparedRun& run, const std::vector<double>& each) {
  return std::round(1e4 * SumSparsity(run.layers, run.skipped, each).selected) / 1e2;
}

/// Both times of the network with these sparsities of the selected layers, weights not repaired.
MeasuredTimes TimeMasked(const PreparedRun& run, const MaskGenerator& generator,
                         const std::vector<double>& selected) {
  ThrowIfInterrupted();
  const std::vector<double> each = ByLayer(run, selected);
  std::vector<LayerTarget> targets;
  for (size_t i = 0; i < each.size(); ++i) targets.push_back({each[i], run.skipped[i]});
  Graph graph = run.model.graph;
  PrunedNetwork pruned =
      PruneNetwork(graph, run.layers, targets, generator, static_cast<uint64_t>(run.config.seed));
  BakeMasks(graph, pruned.masks);
  const PlanTimes times = TimePlan(graph, TimedPlanOptions(run), run.config.benchmark->repetitions);
  return {times.dense_ms, times.ms};
}

std::vector<std::string> RowOf(const PreparedRun& run, double goal, double percent,
                               const TargetSolution& found) {
  const BenchmarkOptions& benchmark = *run.config.benchmark;
  return {FormatPercent(goal),
          run.allocation.budget == "speedup" ? "speedup" : "ms",
          FormatPercent(percent),
          fmt::format("{:.4f}", found.predicted_ms),
          fmt::format("{:.4f}", found.measured.ms),
          fmt::format("{:.4f}", found.measured.dense_ms),
          fmt::format("{:.3f}", found.predicted_speedup),
          fmt::format("{:.3f}", found.MeasuredSpeedup()),
          fmt::format("{:.6g}", found.correction),
          fmt::format("{}", found.rounds),
          fmt::format("{:.6g}", found.solution.loss),
          fmt::format("{}", benchmark.batch.front()),
          fmt::format("{}", benchmark.threads.front())};
}

/// Sparsity in percent of a goal that the folder has settled.
std::optional<double> SettledPercent(const CsvTable& table, double goal, const RunFiles& files) {
  for (const auto& row : table.rows) {
    if (row[table.Column("target")] != FormatPercent(goal)) continue;
    const auto percent = ParseCell(row[table.Column("sparsity")]);
    if (!percent) {
      FailUsage(files.Targets(),
                "sparsity \"{}\" is no number; remove the file to settle the "
                "targets again",
                row[table.Column("sparsity")]);
    }
    if (std::filesystem::exists(files.TargetSparsity(goal))) return percent;
  }
  return std::nullopt;
}

/// Solves, times and keeps the goals that the folder does not have.
class Settler {
 public:
  Settler(const PreparedRun& run, const std::vector<SensitivityCurve>& curves,
          const RunFiles& files, const MaskGenerator& generator)
      : run_(run), curves_(curves), files_(files), generator_(generator) {}

  void Settle(double goal, CsvTable& table) {
    if (!model_) MakeModel();
    const AllocationOptions& options = run_.allocation;
    const TargetSolution found = MeetTarget(
        *model_, TimeTargetOf(run_, goal), {options.time_tolerance, options.time_rounds},
        [&](const auto& sparsity) { return TimeMasked(run_, generator_, sparsity); }, correction_);
    const std::vector<double> each = ByLayer(run_, found.solution.sparsity);
    WriteLayerTargets(run_, each, files_.TargetSparsity(goal));
    const std::string name = FormatPercent(goal);
    std::erase_if(table.rows, [&](const auto& row) { return row[table.Column("target")] == name; });
    table.rows.push_back(RowOf(run_, goal, PercentOf(run_, each), found));
    WriteCsv(table, files_.Targets());
  }

 private:
  void MakeModel() {
    const std::string where =
        run_.allocation.curves_file.empty() ? files_.Sensitivity() : run_.allocation.curves_file;
    const LayerTimes times = RunTimes(run_, files_, generator_);
    model_.emplace(SelectCurves(run_.layers, run_.skipped, curves_, where), times,
                   run_.allocation.max_layer_sparsity);
    Note(
        "times: dense {:.4g} ms; at their fastest the layers take {:.4g} ms, speed-up {:.2f} by "
        "the table",
        model_->dense_ms(), model_->fastest_ms(), model_->dense_ms() / model_->fastest_ms());
  }

  const PreparedRun& run_;
  const std::vector<SensitivityCurve>& curves_;
  const RunFiles& files_;
  const MaskGenerator& generator_;
  std::optional<TimeModel> model_;  // made when it is needed
  double correction_ = 1;
};

}  // namespace

TimeTarget TimeTargetOf(const PreparedRun& run, double value) {
  return {
      run.allocation.budget == "speedup" ? TimeTarget::Kind::kSpeedup : TimeTarget::Kind::kLatency,
      value};
}

void SettleTimedTargets(const std::vector<SensitivityCurve>& curves, const RunFiles& files,
                        const MaskGenerator& generator, PreparedRun& run) {
  const std::vector<double> goals = std::exchange(run.goals, {});
  run.levels.clear();
  run.targets.clear();
  CsvTable table = ReadTargets(files);
  Settler settler(run, curves, files, generator);
  for (const double goal : goals) {
    const std::string name = TimeTargetOf(run, goal).ToString();
    if (SettledPercent(table, goal, files)) {
      Note("{}: settled before", name);
    } else {
      settler.Settle(goal, table);
    }
    const double percent = SettledPercent(table, goal, files).value();
    const auto same = std::find(run.levels.begin(), run.levels.end(), percent);
    if (same != run.levels.end()) {
      Warn("{}: the same {} % sparsity as {}; the level is done once", name, FormatPercent(percent),
           TimeTargetOf(run, run.goals[static_cast<size_t>(same - run.levels.begin())]).ToString());
      continue;
    }
    Note("{}: {} % sparsity", name, FormatPercent(percent));
    run.goals.push_back(goal);
    run.levels.push_back(percent);
    run.targets.push_back(ReadLayerTargets(run, files.TargetSparsity(goal), percent, kRounding,
                                           "remove it to settle the target again"));
  }
}

CsvTable ReadTargets(const RunFiles& files) {
  if (!std::filesystem::exists(files.Targets())) return {Columns(), {}};
  return SelectColumns(ReadCsv(files.Targets()), Columns());
}

std::vector<double> SettledLevels(const PreparedRun& run, const RunFiles& files) {
  if (!run.HasTimeBudget()) return run.levels;
  const CsvTable table = ReadTargets(files);
  std::vector<double> levels;
  for (const double goal : run.goals) {
    levels.push_back(SettledPercent(table, goal, files).value_or(goal));
  }
  return levels;
}

void NoteGoal(const PreparedRun& run, size_t level, const std::vector<SpeedRow>& rows) {
  if (run.goals.empty() || rows.empty()) return;
  const TimeTarget target = TimeTargetOf(run, run.goals[level]);
  const MeasuredTimes times = {rows.front().dense.min_ms, rows.front().sparse.min_ms};
  const double miss = target.kind == TimeTarget::Kind::kSpeedup
                          ? target.value * times.ms / times.dense_ms - 1
                          : times.ms / target.value - 1;
  const std::string text = fmt::format("{}: the finished network takes {:.4g} ms, speed-up {:.3f}",
                                       target.ToString(), times.ms, times.dense_ms / times.ms);
  if (IsDisturbed(rows.front())) {
    return Note("{} (disturbed by other programs; targets.csv has the time before repair)", text);
  }
  if (miss <= run.allocation.time_tolerance) return Note("{}", text);
  Warn("{}: {:.1f} % too long", text, 100 * miss);
}

}  // namespace sparsify
