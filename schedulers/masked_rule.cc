#include "schedulers/masked_rule.h"

#include <utility>

#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {

MaskedRule::MaskedRule(std::string_view type, const RuleContext& context)
    : type_(type), context_(context) {}

void MaskedRule::Begin(std::span<TrainedWeight> /*weights*/, int64_t /*steps*/) {}

Prepared MaskedRule::Prepare(const StepInfo& info, std::span<TrainedWeight> weights) {
  const bool make = info.step == 0 || !context_.mask_is_static;
  if (make) MakeMasks(weights);
  for (TrainedWeight& weight : weights) weight.ShowMasked();
  return {.masks = make, .reset_momentum = false};
}

bool MaskedRule::Backward(const StepInfo& /*info*/, std::span<TrainedWeight> weights,
                          std::span<Tensor* const> gradients) {
  MaskGradients(weights, gradients);
  return true;
}

void MaskedRule::Finish(std::span<TrainedWeight> weights) {
  if (!context_.mask_is_static) MakeMasks(weights);
  ShowFinal(type_, weights);
}

void MaskedRule::MakeMasks(std::span<TrainedWeight> weights) const {
  ParallelFor(std::ssize(weights), [&](int64_t i) {
    TrainedWeight& weight = weights[static_cast<size_t>(i)];
    MakeMask(*context_.generator, weight.sparsity(), weight);
  });
}

void MakeMask(const MaskGenerator& generator, double sparsity, TrainedWeight& weight) {
  Mask mask = generator.Generate(weight.latent, sparsity, weight.context());
  PruneZeros(weight.latent, mask);
  weight.SetMask(std::move(mask));
}

void MaskGradients(std::span<const TrainedWeight> weights, std::span<Tensor* const> gradients) {
  if (weights.size() != gradients.size()) {
    Fail("training", "{} gradients for {} pruned weights", gradients.size(), weights.size());
  }
  for (size_t i = 0; i < weights.size(); ++i) weights[i].MaskGradient(*gradients[i]);
}

}  // namespace sparsify
