// ADMMScheduler: a penalty pulls the weights to the sparse set, then training under masks.
#pragma once

#include "schedulers/level_run_scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// Zhang et al., "A Systematic DNN Weight Pruning Framework using ADMM", 2018: min f(W) + g(Z) with
/// W = Z, g the indicator of the tensors that the generator's masks at each weight's own sparsity
/// admit, and U the scaled dual variable. At step 0 Z = Π(W), U = 0; in every step below end
/// rho·(W − Z + U) joins the loss's gradient; every `interval` steps Z ← Π(W + U), then
/// U ← U + W − Z. Up to there nothing is pruned. At end the masks are made from W, pruned weights
/// become 0 and are held there; how much of W goes with them is said; the rest of the run trains
/// under these masks.
/// Π puts the generator's mask on its argument: the nearest admitted tensor for generators that
/// rank by magnitude (NormalMaskGenerator not row_normalized, N:M, blocks of equal size) and for
/// the fixed places of RandomMaskGenerator; for filters ranked otherwise a heuristic.
/// mask_is_static plays no part.
class ADMMScheduler : public LevelRunScheduler {
 public:
  /// Throws a usage Error for a kwarg out of its range.
  explicit ADMMScheduler(const ADMMOptions& options);

  std::string_view type() const override { return "ADMMScheduler"; }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  ADMMOptions options_;
};

}  // namespace sparsify
