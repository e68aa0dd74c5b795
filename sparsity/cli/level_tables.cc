#include "sparsity/cli/level_tables.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <span>
#include <utility>

#include "schedulers/amba_level_prune_scheduler.h"
#include "sparsity/allocation/level_allocation.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

std::string Number(double value) { return fmt::format("{:.12g}", value); }
std::string Percent(double fraction) { return Number(100 * fraction); }

double SumOfSquares(std::span<const float> weights) {
  double sum = 0;
  for (const float w : weights) sum += static_cast<double>(w) * w;
  return sum;
}

AllocationProblem ProblemOf(const LevelQuestion& question) {
  AllocationProblem problem{question.graph, question.layers, {}, 0, AllocationOf(question.options)};
  for (size_t i = 0; i < question.layers.size(); ++i) {
    if (question.skipped[i].empty()) problem.selected.push_back(static_cast<int>(i));
  }
  return problem;
}

/// What the smallest weights of a layer hold of its energy, percent, when `sparsity[k]` of
/// them go: by k.
std::vector<double> EnergyLost(const Tensor& weight, const std::vector<double>& sparsity) {
  std::vector<size_t> order(sparsity.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return sparsity[a] < sparsity[b]; });
  std::vector<float> magnitudes;
  magnitudes.reserve(static_cast<size_t>(weight.size()));
  for (const float w : weight.values()) magnitudes.push_back(std::abs(w));
  const double total = SumOfSquares(magnitudes);
  std::vector<double> lost(sparsity.size());
  auto begin = magnitudes.begin();
  double sum = 0;
  for (const size_t k : order) {
    const auto end = magnitudes.begin() + PruneCount(weight.size(), sparsity[k]);
    if (end != magnitudes.end()) std::nth_element(begin, end, magnitudes.end());
    sum += SumOfSquares({begin, end});
    begin = end;
    lost[k] = total > 0 ? 100 * sum / total : 0;
  }
  return lost;
}

/// By layer and level.
std::vector<std::vector<double>> EnergyLost(const LevelQuestion& question,
                                            const LevelTargets& targets) {
  std::vector<std::vector<double>> lost(question.layers.size());
  ParallelFor(static_cast<int64_t>(lost.size()), [&](int64_t index) {
    const auto i = static_cast<size_t>(index);
    std::vector<double> sparsity;
    for (const auto& level : targets) sparsity.push_back(level[i].sparsity);
    lost[i] = EnergyLost(question.graph.value(question.layers[i].weight).data, sparsity);
  });
  return lost;
}

void AddSearch(const LevelQuestion& question, double level, const AllocationProblem& problem,
               const LevelAllocation& found, LevelTables& tables) {
  const std::string percent = FormatPercent(level);
  for (const LevelStep& step : found.path) {
    const std::string number = fmt::format("{}", step.step);
    tables.search.rows.push_back({percent, number, Number(step.energy), Percent(step.sparsity)});
    for (size_t i = 0; i < step.layers.size(); ++i) {
      const auto layer = static_cast<size_t>(problem.selected[i]);
      tables.steps.rows.push_back(
          {percent, number, question.layers[layer].name, Percent(step.layers[i])});
    }
  }
}

/// Spreads what the search found over the layers; the rows of the search go into the tables.
/// Returns E_l/E as cells, by layer.
std::vector<std::string> FillIn(const LevelQuestion& question, LevelTargets& targets,
                                LevelTables& tables) {
  std::vector<std::string> factors(question.layers.size(), "-");
  if (!question.ByEnergy()) return factors;
  const AllocationProblem problem = ProblemOf(question);
  std::vector<size_t> searched;
  std::vector<double> fractions;
  for (size_t k = 0; k < question.levels.size(); ++k) {
    if (question.levels[k] == 0) continue;
    searched.push_back(k);
    fractions.push_back(question.levels[k] / 100);
  }
  const std::vector<LevelAllocation> found = AllocateByLevels(problem, fractions);
  for (size_t s = 0; s < found.size(); ++s) {
    for (size_t i = 0; i < problem.selected.size(); ++i) {
      const auto layer = static_cast<size_t>(problem.selected[i]);
      targets[searched[s]][layer].sparsity = found[s].sparsity[i];
      factors[layer] = Number(found[s].factor[i]);
    }
    AddSearch(question, question.levels[searched[s]], problem, found[s], tables);
  }
  return factors;
}

void AddLayers(const LevelQuestion& question, const LevelTargets& targets,
               const std::vector<std::string>& factors, LevelTables& tables) {
  const std::vector<double> energies = WeightEnergies(question);
  const auto lost = EnergyLost(question, targets);
  const bool by_energy = question.ByEnergy();
  const std::string tuning = by_energy ? Number(question.options.prun_algo_tuning) : "-";
  const std::string tolerance = by_energy ? Number(question.options.sparse_rate_tolerance) : "-";
  for (size_t k = 0; k < question.levels.size(); ++k) {
    for (size_t i = 0; i < question.layers.size(); ++i) {
      const Layer& layer = question.layers[i];
      tables.layers.rows.push_back(
          {FormatPercent(question.levels[k]), layer.name, DimensionsText(layer.weight_shape),
           DimensionsText(layer.input_shape), fmt::format("{}", layer.macs),
           fmt::format("{}", layer.parameters), factors[i], Number(energies[i]), Number(lost[i][k]),
           Percent(targets[k][i].sparsity), question.skipped[i],
           fmt::format("{}", question.options.prun_algo), tuning, tolerance});
    }
  }
}

/// Nothing of an earlier analysis may stand beside parts of a new one.
void PutAside(const LevelTables& tables, const LevelFiles& files) {
  constexpr int64_t kMaxBytes = 1'000'000'000;
  const std::string path = files.Layers();
  if (!fs::exists(path)) return;
  const bool same =
      FileSize(path) <= kMaxBytes && ReadFile(path, kMaxBytes) == FormatCsv(tables.layers);
  std::error_code error;
  if (same) {
    fs::remove(path, error);
  } else {
    fs::rename(path, files.Backup(), error);
    if (!error) Note("{}: replaced; what it was is kept as {}", path, files.Backup());
  }
  if (error) Fail(path, "cannot be replaced, {}; name another output_dir", error.message());
}

void WriteOrRemove(const CsvTable& table, const std::string& path) {
  if (!table.rows.empty()) {
    WriteCsv(table, path);
    return;
  }
  std::error_code error;
  if (fs::remove(path, error)) Note("{}: removed, it is of an earlier analysis", path);
  if (error) Fail(path, "cannot be removed, {}; name another output_dir", error.message());
}

}  // namespace

const std::vector<std::string>& SearchTableColumns() {
  static const std::vector<std::string> columns = {"level", "step", "energy_percent",
                                                   "sparsity_percent"};
  return columns;
}

const std::vector<std::string>& StepTableColumns() {
  static const std::vector<std::string> columns = {"level", "step", "layer", "sparsity_percent"};
  return columns;
}

const std::vector<std::string>& LayerTableColumns() {
  static const std::vector<std::string> columns = {"level",
                                                   "layer",
                                                   "shape",
                                                   "input",
                                                   "macs",
                                                   "parameters",
                                                   "stride_factor",
                                                   "energy",
                                                   "energy_lost_percent",
                                                   "sparsity_percent",
                                                   "skipped",
                                                   "prun_algo",
                                                   "tuning",
                                                   "tolerance"};
  return columns;
}

std::string DimensionsText(const Shape& shape) {
  return fmt::format("{}", fmt::join(shape.dims(), "x"));
}

std::vector<double> WeightEnergies(const LevelQuestion& question) {
  std::vector<double> energies(question.layers.size());
  for (size_t i = 0; i < energies.size(); ++i) {
    energies[i] = SumOfSquares(question.graph.value(question.layers[i].weight).data.values());
    if (std::isfinite(energies[i])) continue;
    Fail(question.layers[i].name, "its weights hold a NaN or an infinity; repair the model first");
  }
  return energies;
}

LevelTargets SearchLevels(const LevelQuestion& question, LevelTables& tables) {
  tables = {{SearchTableColumns(), {}}, {StepTableColumns(), {}}, {LayerTableColumns(), {}}};
  AllocationOptions uniform;  // checks what Allocate checks, and is the answer of prun_algo 0
  LevelTargets targets;
  for (const double level : question.levels) {
    targets.push_back(
        Allocate(question.graph, question.layers, question.skipped, level / 100, uniform));
  }
  const std::vector<std::string> factors = FillIn(question, targets, tables);
  AddLayers(question, targets, factors, tables);
  return targets;
}

void WriteLevelTables(const LevelTables& tables, const LevelFiles& files) {
  MakeDirectories(files.folder);
  PutAside(tables, files);
  WriteOrRemove(tables.search, files.Search());
  WriteOrRemove(tables.steps, files.Steps());
  WriteCsv(tables.layers, files.Layers());
}

}  // namespace sparsify
