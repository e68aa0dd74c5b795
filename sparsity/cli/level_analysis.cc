#include "sparsity/cli/level_analysis.h"

#include <optional>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/cli/level_tables.h"
#include "sparsity/cli/level_tables_reader.h"

namespace sparsify {
namespace {

void SayWritten(const LevelQuestion& question, const LevelFiles& files) {
  if (question.ByEnergy()) {
    Note(
        "{}: analysis of {} layers at {} levels is in level_search.csv, level_steps.csv and "
        "level_layers.csv",
        files.folder, question.layers.size(), question.levels.size());
    return;
  }
  Note(
      "{}: {} layers at {} levels are in level_layers.csv; prun_algo 0 gives every layer the "
      "level without a search, so there are no level_search.csv and level_steps.csv",
      files.folder, question.layers.size(), question.levels.size());
}

}  // namespace

LevelTargets AnalyseLevels(const Graph& graph, const std::vector<Layer>& layers,
                           const std::vector<std::string>& skipped,
                           const std::vector<double>& levels, const AmbaLevelPruneOptions& options,
                           const std::string& folder, bool write) {
  const LevelQuestion question{graph, layers, skipped, levels, options};
  if (skipped.size() != layers.size()) {
    Fail("level analysis", "{} skip reasons for {} layers", skipped.size(), layers.size());
  }
  const LevelFiles files{folder};
  if (!folder.empty() && !options.do_sparse_analysis) {
    if (auto targets = ReadLevelTables(question, files)) {
      Note(
          "{}: the sparsities of {} layers at {} levels are taken from level_layers.csv; "
          "do_sparse_analysis: True does the analysis anew",
          folder, layers.size(), levels.size());
      return std::move(*targets);
    }
  }
  LevelTables tables;
  LevelTargets targets = SearchLevels(question, tables);
  if (folder.empty()) {
    Note("output_dir: empty; the tables of level pruning are not written");
  } else if (write) {
    WriteLevelTables(tables, files);
    SayWritten(question, files);
  }
  return targets;
}

}  // namespace sparsify
