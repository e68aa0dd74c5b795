// Post-training repair by optimiser steps, unit after unit: the published reconstruction
// (METHODS "Reconstruction") with our options.
//
// Each unit's outputs in the pruned network are pulled towards the dense network's on
// calibration images by Adam on the unit's weights, given the inputs that the unit sees in the
// pruned network with everything before it repaired already.
#pragma once

#include "reconstruction/repair.h"
#include "reconstruction/unit_options.h"

namespace sparsify {

/// Repairs every unit (FindUnits) in which a mask prunes a weight that is not zero in the teacher;
/// the others stay, with the reason in `unrepaired`. All weights of such a unit are trained,
/// masked ones under their masks (pruned weights are +0 at the end), biases with bias_lr; batch
/// norm is frozen. A unit's loss is the mean over images and positions of Σ over channels of
/// (student − teacher)², summed over its outputs; a unit never ends with a greater loss on the
/// images held back (on all, where none are) than it began with, and has the weights of the least
/// loss measured there.
///
/// Kept activations live in memory up to the memory limit and in a scratch file beyond, which is
/// said. The same seed, threads and options give the same result, with `task.finished` units taken
/// over too; `finished` counts the units that are skipped as well. Polls for Ctrl-C. Throws Error
/// when graphs, masks and images do not belong together, when a loss is not finite (naming unit
/// and step), or when the disk has no room.
RepairResult RepairUnits(const RepairTask& task, const UnitRepairOptions& options);

}  // namespace sparsify
