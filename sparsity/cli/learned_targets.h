// The sparsities that a level's layers have learned (allocation FCPTS): from its folder, or learned
// and kept there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"

namespace sparsify {

/// Targets of every layer at `percent`, from the folder's learned_sparsity_P.csv (layer, sparsity
/// in percent), which is learned and written first when it is not there. A finished file is thus a
/// table for `allocation: {type: table}` too. Throws Error when the file is damaged, another
/// network's, or misses the target.
std::vector<LayerTarget> LearnedTargets(const PreparedRun& run, const RunFiles& files,
                                        double percent);

/// Such a table of any origin: `sparsity` by layer, fractions, skipped layers left out.
void WriteLayerTargets(const PreparedRun& run, const std::vector<double>& sparsity,
                       const std::string& path);

/// And back; `remedy` ends the messages. Throws a usage Error unless it has exactly the layers that
/// may be pruned and gives `percent` of their weights, to within `tolerance` percent.
std::vector<LayerTarget> ReadLayerTargets(const PreparedRun& run, const std::string& path,
                                          double percent, double tolerance,
                                          std::string_view remedy);

}  // namespace sparsify
