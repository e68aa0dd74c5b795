#include "schedulers/masked_rule.h"

#include <utility>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

TrainedWeight& At(std::span<TrainedWeight> weights, int64_t i) {
  return weights[static_cast<size_t>(i)];
}

}  // namespace

MaskedRule::MaskedRule(std::string_view type, const RuleContext& context)
    : type_(type), context_(context) {}

void MaskedRule::Begin(std::span<TrainedWeight> /*weights*/, int64_t /*steps*/) {}

Prepared MaskedRule::Prepare(const StepInfo& info, std::span<TrainedWeight> weights) {
  const bool make = info.step == 0 || !context_.mask_is_static;
  ParallelFor(std::ssize(weights), [&](int64_t i) {
    TrainedWeight& weight = At(weights, i);
    if (make) MakeMask(*context_.generator, weight.sparsity(), weight);
    weight.ShowMasked();
  });
  return {.masks = make, .reset_momentum = false};
}

bool MaskedRule::Backward(const StepInfo& /*info*/, std::span<TrainedWeight> weights,
                          std::span<Tensor* const> gradients) {
  MaskGradients(weights, gradients);
  return true;
}

void MaskedRule::Finish(std::span<TrainedWeight> weights) {
  ParallelFor(std::ssize(weights), [&](int64_t i) {
    TrainedWeight& weight = At(weights, i);
    if (!context_.mask_is_static) MakeMask(*context_.generator, weight.sparsity(), weight);
    weight.ShowMasked();
  });
}

void MakeMask(const MaskGenerator& generator, double sparsity, TrainedWeight& weight) {
  Mask mask = generator.Generate(weight.latent, sparsity, weight.context());
  PruneZeros(weight.latent, mask);
  weight.SetMask(std::move(mask));
}

void MaskGradients(std::span<const TrainedWeight> weights, std::span<Tensor* const> gradients) {
  ParallelFor(std::ssize(weights), [&](int64_t i) {
    const Tensor& keep = weights[static_cast<size_t>(i)].keep();
    Tensor& gradient = *gradients[static_cast<size_t>(i)];
    for (int64_t j = 0; j < gradient.size(); ++j) gradient[j] *= keep[j];
  });
}

}  // namespace sparsify
