// RandomOnceScheduler: in the middle of training random weights go, once.
#pragma once

#include "schedulers/level_run_scheduler.h"
#include "schedulers/masked_rule.h"
#include "sparsity/mask/random_mask_generator.h"

namespace sparsify {

struct RandomOnceRule : PruningRule {
  std::string_view type() const override { return "RandomOnceScheduler"; }
  void Begin(std::span<TrainedWeight> /*weights*/, int64_t /*steps*/) override {}
  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    const bool now = info.step == info.steps / 2;
    for (TrainedWeight& weight : weights) {
      if (now) MakeMask(RandomMaskGenerator(), weight.sparsity(), weight);
      weight.ShowMasked();
    }
    return {.masks = now};
  }
  bool Backward(const StepInfo& /*info*/, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    MaskGradients(weights, gradients);
    return true;
  }
  bool HoldsPruned() const override { return true; }
  void Finish(std::span<TrainedWeight> weights) override {
    for (TrainedWeight& weight : weights) weight.ShowMasked();
  }
};

struct RandomOnceScheduler : LevelRunScheduler {
  std::string_view type() const override { return "RandomOnceScheduler"; }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& /*context*/) const override {
    return std::make_unique<RandomOnceRule>();
  }
};

}  // namespace sparsify
