// One level of a run: the dense network with masks for one sparsity baked into it.
#pragma once

#include "sparsity/cli/prepare.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// Copies the dense network, masks every selected layer as `run.targets[level]` says and
/// bakes the masks into the weights, which are then repaired if the configuration says so.
/// Pruned weights are +0; masks and achieved sparsities are in the checkpoint. Polls for Ctrl-C.
Checkpoint PruneLevel(const PreparedRun& run, size_t level, const MaskGenerator& generator);

/// Warns when the network's achieved sparsity is not what was asked for.
void WarnOfMissedTarget(const Checkpoint& checkpoint);

}  // namespace sparsify
