// One level of a run: the dense network with masks for one sparsity baked into it.
#pragma once

#include <string>
#include <vector>

#include "reconstruction/repair.h"
#include "sparsity/cli/phase_clock.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

struct LevelRequest {
  const PreparedRun& run;
  size_t level = 0;  // index into run.levels
  const Checkpoint* previous =
      nullptr;               // progressive: the stage before, which this one starts from
  std::string partial_path;  // where an unfinished repair is kept
};

/// Copies the dense network (or the stage before), masks every selected layer as `run.targets`
/// says and bakes the masks into the weights, which are then repaired if the configuration says
/// so; `repaired` gets a row a unit. Pruned weights are +0; masks and achieved sparsities are in
/// the checkpoint. Polls for Ctrl-C.
Checkpoint PruneLevel(const LevelRequest& request, const MaskGenerator& generator,
                      std::vector<RepairedUnit>& repaired, PhaseClock& clock);

/// Warns when the network's achieved sparsity is not what was asked for.
void WarnOfMissedTarget(const Checkpoint& checkpoint);

}  // namespace sparsify
