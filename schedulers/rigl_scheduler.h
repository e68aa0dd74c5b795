// RigLScheduler: training that is sparse all the time, with weights that change places.
#pragma once

#include "schedulers/level_run_scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// Evci et al., "Rigging the Lottery", 2020, algorithm 1. The mask generator makes the masks of the
/// first step at each weight's own sparsity: NormalMaskGenerator from the trained network,
/// RandomMaskGenerator as the paper does. At every step that is a multiple of delta_t, above 0 and
/// below end, of each weight's n kept elements the ⌊n·alpha/2·(1 + cos(π·step/end))⌋ of least |w|
/// go, and as many of those that are then pruned, where the loss's gradient is largest, come: at 0
/// and without momentum, unless they had only just gone. So the sparsity never changes. Such a step
/// makes no optimiser step. Of equals the lower index goes, and comes, first.
/// mask_is_static plays no part: between two updates masks stay and pruned weights are held at 0.
class RigLScheduler : public LevelRunScheduler {
 public:
  /// Throws a usage Error for a kwarg out of its range.
  explicit RigLScheduler(const RigLOptions& options);

  std::string_view type() const override { return "RigLScheduler"; }
  /// Throws a usage Error for a generator of patterns, which do not survive the growth.
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  RigLOptions options_;
};

}  // namespace sparsify
