#include "sparsity/cli/level_tables_reader.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/cli/table_rows.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;

constexpr double kEnergyTolerance = 1e-6;
/// Tables hold twelve digits of what they print.
constexpr double kPrinted = 1e-9;

/// A level of a table: by level and layer, percent; negative: not given.
using LevelPercents = std::vector<std::vector<double>>;

bool Near(double a, double b, double relative) {
  return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

/// Index of the level in the question, or −1 for another one.
int FindLevel(const LevelQuestion& question, double level) {
  for (size_t k = 0; k < question.levels.size(); ++k) {
    if (Near(question.levels[k], level, kPrinted)) return static_cast<int>(k);
  }
  return -1;
}

LevelPercents Unknown(const LevelQuestion& question) {
  return LevelPercents(question.levels.size(), std::vector<double>(question.layers.size(), -1));
}

/// The first thing in which a row differs from the layer and the settings, or empty.
class RowCheck {
 public:
  RowCheck(const LevelQuestion& question, const std::vector<double>& energies,
           const TableRows& rows)
      : question_(question), energies_(energies), rows_(rows) {}

  std::string Misfit(size_t row) const {
    const std::string settings = SettingsMisfit(row);
    if (!settings.empty()) return settings;
    const std::string& name = rows_.Text(row, "layer");
    const int layer = FindLayer(question_.layers, name);
    if (layer < 0) return fmt::format("the network has no layer \"{}\"", name);
    const std::string misfit = LayerMisfit(row, static_cast<size_t>(layer));
    return misfit.empty() ? "" : fmt::format("layer \"{}\": {}", name, misfit);
  }

 private:
  std::string Compare(size_t row, const std::string& column, const std::string& now) const {
    const std::string_view before = Trim(rows_.Text(row, column));
    if (before == Trim(now)) return "";
    return fmt::format("{} was \"{}\", is \"{}\" now", column, before, now);
  }

  std::string Compare(size_t row, const std::string& column, double now, double relative) const {
    const double before = rows_.Number(row, column);
    if (Near(before, now, relative)) return "";
    return fmt::format("{} was {:.12g}, is {:.12g} now", column, before, now);
  }

  std::string SettingsMisfit(size_t row) const {
    const AmbaLevelPruneOptions& options = question_.options;
    std::string misfit = Compare(row, "prun_algo", fmt::format("{}", options.prun_algo));
    if (!misfit.empty() || !question_.ByEnergy()) return misfit;
    misfit = Compare(row, "tuning", options.prun_algo_tuning, kPrinted);
    if (!misfit.empty()) return misfit;
    return Compare(row, "tolerance", options.sparse_rate_tolerance, kPrinted);
  }

  std::string LayerMisfit(size_t row, size_t i) const {
    const Layer& layer = question_.layers[i];
    const std::pair<const char*, std::string> cells[] = {
        {"shape", DimensionsText(layer.weight_shape)},
        {"input", DimensionsText(layer.input_shape)},
        {"macs", fmt::format("{}", layer.macs)},
        {"parameters", fmt::format("{}", layer.parameters)},
        {"skipped", question_.skipped[i]}};
    for (const auto& [column, now] : cells) {
      std::string misfit = Compare(row, column, now);
      if (!misfit.empty()) return misfit;
    }
    return Compare(row, "energy", energies_[i], kEnergyTolerance);
  }

  const LevelQuestion& question_;
  const std::vector<double>& energies_;
  const TableRows& rows_;
};

/// What of the question `given` leaves open, or empty.
std::string Missing(const LevelQuestion& question, const LevelPercents& given) {
  for (size_t k = 0; k < given.size(); ++k) {
    const std::string level = fmt::format("level {} %", FormatPercent(question.levels[k]));
    if (std::all_of(given[k].begin(), given[k].end(), [](double s) { return s < 0; })) {
      return level + " is missing";
    }
    for (size_t i = 0; i < given[k].size(); ++i) {
      if (given[k][i] >= 0) continue;
      return fmt::format("{}: layer \"{}\" is missing", level, question.layers[i].name);
    }
  }
  return "";
}

/// Reads level_layers.csv; the first thing that does not fit, or empty. Throws when it is damaged.
std::string ReadLayers(const LevelQuestion& question, const std::vector<double>& energies,
                       const std::string& path, LevelPercents& given) {
  const TableRows rows(path, LayerTableColumns());
  const RowCheck check(question, energies, rows);
  for (size_t row = 0; row < rows.size(); ++row) {
    const double percent = rows.Percent(row, "sparsity_percent");
    const int level = FindLevel(question, rows.Number(row, "level"));
    std::string misfit = check.Misfit(row);
    if (!misfit.empty()) return misfit;
    if (level < 0) continue;
    const std::string& name = rows.Text(row, "layer");
    double& cell =
        given[static_cast<size_t>(level)][static_cast<size_t>(FindLayer(question.layers, name))];
    if (cell >= 0) Fail(rows.Where(row), "layer \"{}\" a second time at this level", name);
    cell = percent;
  }
  return Missing(question, given);
}

/// How many rows level_search.csv has for each level.
std::vector<int64_t> CountSteps(const LevelQuestion& question, const std::string& path) {
  const TableRows rows(path, SearchTableColumns());
  std::vector<int64_t> counts(question.levels.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    const int level = FindLevel(question, rows.Number(row, "level"));
    rows.Number(row, "energy_percent");
    rows.Percent(row, "sparsity_percent");
    if (level < 0) continue;
    int64_t& count = counts[static_cast<size_t>(level)];
    const double step = rows.Number(row, "step");
    if (step != static_cast<double>(count)) {
      Fail(rows.Where(row), "step {}, expected {}", step, count);
    }
    ++count;
  }
  return counts;
}

/// Every step of a level must have a row of every pruned layer.
void CheckSteps(const LevelQuestion& question, const std::vector<int64_t>& steps,
                const std::vector<int64_t>& rows, const LevelPercents& taken,
                const std::string& path) {
  const auto pruned = std::count(question.skipped.begin(), question.skipped.end(), "");
  for (size_t k = 0; k < steps.size(); ++k) {
    const std::string level = FormatPercent(question.levels[k]);
    if (rows[k] != steps[k] * pruned) {
      Fail(path, "{} rows at level {} %, expected {}", rows[k], level, steps[k] * pruned);
    }
    for (size_t i = 0; i < taken[k].size(); ++i) {
      if (steps[k] == 0 || !question.skipped[i].empty() || taken[k][i] >= 0) continue;
      Fail(path, "level {} %: layer \"{}\" is missing at step {}", level, question.layers[i].name,
           steps[k] - 1);
    }
  }
}

/// The layers' sparsities at each level's last step. Throws when rows are missing.
LevelPercents ReadSteps(const LevelQuestion& question, const std::vector<int64_t>& steps,
                        const std::string& path) {
  const TableRows rows(path, StepTableColumns());
  LevelPercents taken = Unknown(question);
  std::vector<int64_t> counts(steps.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    const double percent = rows.Percent(row, "sparsity_percent");
    const int level = FindLevel(question, rows.Number(row, "level"));
    if (level < 0) continue;
    const auto k = static_cast<size_t>(level);
    const std::string& name = rows.Text(row, "layer");
    const int layer = FindLayer(question.layers, name);
    if (layer < 0) Fail(rows.Where(row), "the network has no layer \"{}\"", name);
    ++counts[k];
    if (rows.Number(row, "step") != static_cast<double>(steps[k] - 1)) continue;
    taken[k][static_cast<size_t>(layer)] = percent;
  }
  CheckSteps(question, steps, counts, taken, path);
  return taken;
}

/// What each layer gives where nobody has edited it; `misfit` as ReadLayers' answer.
LevelPercents ReadTaken(const LevelQuestion& question, const LevelFiles& files,
                        std::string& misfit) {
  LevelPercents taken = Unknown(question);
  if (question.ByEnergy()) {
    const std::vector<int64_t> steps = CountSteps(question, files.Search());
    for (size_t k = 0; k < steps.size(); ++k) {
      if (steps[k] > 0 || question.levels[k] == 0) continue;
      misfit = fmt::format("level {} % is missing in level_search.csv",
                           FormatPercent(question.levels[k]));
      return taken;
    }
    taken = ReadSteps(question, steps, files.Steps());
  }
  for (size_t k = 0; k < taken.size(); ++k) {
    const bool by_search = question.ByEnergy() && question.levels[k] != 0;
    for (size_t i = 0; i < taken[k].size(); ++i) {
      if (!question.skipped[i].empty())
        taken[k][i] = 0;
      else if (!by_search)
        taken[k][i] = question.levels[k];
    }
  }
  return taken;
}

/// "; 2 layers were edited, first "conv1" from 40 to 60 %", or empty.
std::string DescribeEdits(const LevelQuestion& question, const std::vector<double>& given,
                          const std::vector<double>& taken) {
  int64_t edited = 0;
  std::string first;
  for (size_t i = 0; i < given.size(); ++i) {
    if (std::abs(given[i] - taken[i]) <= 100 * kPrinted) continue;
    if (++edited > 1) continue;
    first = fmt::format("\"{}\" from {:.12g} to {:.12g} %", question.layers[i].name, taken[i],
                        given[i]);
  }
  if (edited == 0) return "";
  return fmt::format("; {} edited, first {}",
                     edited == 1 ? "1 layer was" : fmt::format("{} layers were", edited), first);
}

void SayDistance(const LevelQuestion& question, size_t k, const std::vector<LayerTarget>& targets,
                 const std::string& edits, const std::string& path) {
  std::vector<double> each;
  for (const LayerTarget& target : targets) each.push_back(target.sparsity);
  const double level = question.levels[k];
  const double sum = 100 * SumSparsity(question.layers, question.skipped, each).selected;
  const double tolerance = 100 * question.options.sparse_rate_tolerance;
  const bool beyond = std::abs(sum - level) > tolerance + kPrinted;
  if (edits.empty() && !beyond) return;
  const std::string text = fmt::format(
      "{}: level {} %: the layers give {:.2f} %, {:.2f} points {} the level{}", path,
      FormatPercent(level), sum, std::abs(sum - level), sum < level ? "below" : "above", edits);
  if (beyond) {
    Warn("{}, beyond the tolerance of {:.4g} points", text, tolerance);
  } else {
    Note("{}", text);
  }
}

LevelTargets TargetsOf(const LevelQuestion& question, const LevelPercents& given,
                       const LevelPercents& taken, const std::string& path) {
  LevelTargets targets(given.size());
  for (size_t k = 0; k < given.size(); ++k) {
    for (size_t i = 0; i < given[k].size(); ++i) {
      const std::string& skipped = question.skipped[i];
      if (!skipped.empty() && given[k][i] > 0) {
        Warn("{}: level {} %: layer \"{}\" stays dense, {}; its {} % does not count", path,
             FormatPercent(question.levels[k]), question.layers[i].name, skipped,
             FormatPercent(given[k][i]));
      }
      targets[k].push_back({skipped.empty() ? given[k][i] / 100 : 0, skipped});
    }
    std::vector<double> counted;
    for (const LayerTarget& target : targets[k]) counted.push_back(100 * target.sparsity);
    SayDistance(question, k, targets[k], DescribeEdits(question, counted, taken[k]), path);
  }
  return targets;
}

/// The name of the first file that is missing, or empty; `any`: whether there is one at all.
std::string MissingFile(const LevelQuestion& question, const LevelFiles& files, bool& any) {
  std::vector<std::string> paths = {files.Layers()};
  const bool searched = std::any_of(question.levels.begin(), question.levels.end(),
                                    [](double level) { return level != 0; });
  if (question.ByEnergy() && searched) {
    paths.push_back(files.Search());
    paths.push_back(files.Steps());
  }
  std::string missing;
  for (const std::string& path : paths) {
    if (fs::exists(path))
      any = true;
    else if (missing.empty())
      missing = fs::path(path).filename().string() + " is missing";
  }
  return missing;
}

std::optional<LevelTargets> Read(const LevelQuestion& question, const std::vector<double>& energies,
                                 const LevelFiles& files, std::string& misfit) {
  LevelPercents given = Unknown(question);
  misfit = ReadLayers(question, energies, files.Layers(), given);
  if (!misfit.empty()) return std::nullopt;
  const LevelPercents taken = ReadTaken(question, files, misfit);
  if (!misfit.empty()) return std::nullopt;
  return TargetsOf(question, given, taken, files.Layers());
}

}  // namespace

std::optional<LevelTargets> ReadLevelTables(const LevelQuestion& question,
                                            const LevelFiles& files) {
  bool any = false;
  std::string misfit = MissingFile(question, files, any);
  if (!any) return std::nullopt;
  const std::vector<double> energies = WeightEnergies(question);
  std::optional<LevelTargets> targets;
  try {
    if (misfit.empty()) targets = Read(question, energies, files, misfit);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    Warn("{}; the table is damaged, and the analysis is done anew", error.what());
    return std::nullopt;
  }
  if (!targets) {
    Note("{}: the tables of level pruning do not fit, {}; the analysis is done anew", files.folder,
         misfit);
  }
  return targets;
}

}  // namespace sparsify
