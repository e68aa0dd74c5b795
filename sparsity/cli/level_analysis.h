// The analysis that level pruning begins with: how much of every layer goes at every level, kept
// as tables that a person can read, plot and edit, and that later runs reuse.
#pragma once

#include <string>
#include <vector>

#include "schedulers/scheduler_options.h"
#include "sparsity/allocation/allocation.h"

namespace sparsify {

/// Targets by level and layer; `levels` in percent, increasing. The tables are level_search.csv,
/// level_steps.csv and level_layers.csv in `folder` (level_tables.h has their columns), which is
/// made if missing. With prun_algo 0 there is no search, and level_layers.csv alone (noted).
///
/// With do_sparse_analysis the targets are those of Allocate, and the tables are written anew.
/// Without it, tables that fit (level_tables_reader.h) are reused as they are, edited sparsities
/// included, which is noted; otherwise the analysis is done, and what did not fit is said.
/// `write` false (a dry run) reads but leaves the folder as it is. An empty `folder` means no
/// tables, which is noted. Throws what Allocate throws, and Error when a table cannot be written.
std::vector<std::vector<LayerTarget>> AnalyseLevels(const Graph& graph,
                                                    const std::vector<Layer>& layers,
                                                    const std::vector<std::string>& skipped,
                                                    const std::vector<double>& levels,
                                                    const AmbaLevelPruneOptions& options,
                                                    const std::string& folder, bool write = true);

}  // namespace sparsify
