// Whether the tables of an earlier analysis of level pruning fit, and what they say.
#pragma once

#include <optional>

#include "sparsity/cli/level_tables.h"

namespace sparsify {

/// The targets that level_layers.csv gives, where the tables are of this question: the same
/// prun_algo, prun_algo_tuning and sparse_rate_tolerance, all its levels (more do no harm), and of
/// every layer the name, shape, input, MACs, parameters, reason to stay dense, and energy to 1e-6.
///
/// Sparsities count as they stand, so a person may change them. Said with each level where some
/// were, or that is further than the tolerance from its percent: what the layers give, and how far
/// that is from the level (a warning beyond the tolerance).
///
/// Nothing when a table is missing or does not fit (a note names the first thing that does not)
/// or is damaged (a warning says where). Nothing, and not a word, when none of the files exists.
std::optional<LevelTargets> ReadLevelTables(const LevelQuestion& question, const LevelFiles& files);

}  // namespace sparsify
