// The plain rule: masks from a generator, at one sparsity for the whole training.
#pragma once

#include <memory>

#include "schedulers/scheduler.h"

namespace sparsify {

/// Static masks are made from the latent weights at the first step and stay; others are made anew
/// at every step, so that pruned weights can come back (METHODS, FakeSparse).
class MaskedRule : public PruningRule {
 public:
  /// `type` is the scheduler's and must outlive the rule.
  MaskedRule(std::string_view type, const RuleContext& context);

  std::string_view type() const override { return type_; }
  void Begin(std::span<TrainedWeight> weights, int64_t steps) override;
  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override;
  bool Backward(const StepInfo& info, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override;
  bool HoldsPruned() const override { return context_.mask_is_static; }
  void Finish(std::span<TrainedWeight> weights) override;

 private:
  void MakeMasks(std::span<TrainedWeight> weights) const;

  std::string_view type_;
  RuleContext context_;
};

/// The mask of `weight`'s latent values at `sparsity`; weights that are 0 already are pruned.
void MakeMask(const MaskGenerator& generator, double sparsity, TrainedWeight& weight);

/// ∂L/∂W = M ⊙ ∂L/∂Ŵ for every weight. Throws Error when their numbers differ.
void MaskGradients(std::span<const TrainedWeight> weights, std::span<Tensor* const> gradients);

}  // namespace sparsify
