// STRScheduler: every weight tensor learns the threshold below which its elements are 0.
#pragma once

#include "schedulers/level_run_scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// Kusupati et al., "Soft Threshold Weight Reparameterization", 2020, equations 2 to 5:
///   Ŵ = sign(W)·relu(|W| − α), α = σ(s), ∂L/∂W = [|W| > α]·∂L/∂Ŵ,
/// so α < 1; with one s a weight tensor, learned by gradient steps of learning_rate times the
/// network's rate with a decay of its own, without momentum. Nothing in this knows a target, so:
/// * `steer` (not in the paper): in every step below end the count of pruned elements is kept
///   between a cubic ramp to the target and the target itself; where the learned α leaves that
///   corridor, it is put on its edge (a layer of large weights may so have α above 1).
/// * At end W ← Ŵ with the target's count of elements at 0: the α learned, or the target's where
///   that is smaller (so that elements come back), is taken from |W| and the least of the rest go.
///   How far the learned sparsity was from the target is said. The rest of the run trains under
///   these masks.
/// Tensors whose target is 0 stay dense. mask_is_static plays no part.
class STRScheduler : public LevelRunScheduler {
 public:
  /// Throws a usage Error for a kwarg out of its range.
  explicit STRScheduler(const STROptions& options);

  std::string_view type() const override { return "STRScheduler"; }
  /// Throws a usage Error unless the generator is the plain magnitude of single weights: a
  /// threshold is nothing else.
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  STROptions options_;
};

/// sign(w)·relu(|w| − α).
float SoftThreshold(float w, double alpha);

}  // namespace sparsify
