// The sensitivity curves of a run: from a file, from its folder, or measured.
#pragma once

#include <vector>

#include "sparsity/allocation/sensitivity.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// The curves that `run.allocation` works with: of its curves_file; or EnergyCurves, left in the
/// folder's sensitivity.csv; else those in that file, and what is missing there measured and added
/// layer by layer. None unless the
/// allocation is Sensitivity. Throws Error when the folder's file is damaged or another network's.
std::vector<SensitivityCurve> RunCurves(const PreparedRun& run, const RunFiles& files,
                                        const MaskGenerator& generator);

}  // namespace sparsify
