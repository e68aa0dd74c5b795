// The channel permutation of an Ampere run, before its masks are made.
#pragma once

#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"

namespace sparsify {

/// Permutes the channels of `run.model` where the scheduler asks for it, so that N:M masks keep
/// more; what the dense network computes stays, to rounding. Writes permutation.csv and says what
/// was gained, by the scheduler's verbosity: 0 nothing, 1 the whole, 2 what stays in place, 3 a
/// line a layer.
void PermuteNetwork(PreparedRun& run, const RunFiles& files);

}  // namespace sparsify
