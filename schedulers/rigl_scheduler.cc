#include "schedulers/rigl_scheduler.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "schedulers/masked_rule.h"
#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// Takes away the `count` kept elements of least |w|.
void Drop(const Tensor& latent, int64_t count, Mask& mask) {
  std::vector<double> scores(static_cast<size_t>(mask.size()));
  for (int64_t i = 0; i < mask.size(); ++i) {
    scores[static_cast<size_t>(i)] = mask[i] ? std::abs(static_cast<double>(latent[i])) : kNever;
  }
  const std::vector<bool> drop = SmallestScores(scores, count);
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (drop[static_cast<size_t>(i)]) mask.Set(i, false);
  }
}

// Adds the `count` pruned elements of largest |gradient|.
void Grow(const Tensor& gradient, int64_t count, Mask& mask) {
  std::vector<double> scores(static_cast<size_t>(mask.size()));
  for (int64_t i = 0; i < mask.size(); ++i) {
    scores[static_cast<size_t>(i)] = mask[i] ? kNever : -std::abs(static_cast<double>(gradient[i]));
  }
  const std::vector<bool> grow = SmallestScores(scores, count);
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (grow[static_cast<size_t>(i)]) mask.Set(i, true);
  }
}

class RigLRule : public PruningRule {
 public:
  RigLRule(const RigLOptions& options, const RuleContext& context)
      : options_(options), context_(context) {}

  std::string_view type() const override { return "RigLScheduler"; }

  void Begin(std::span<TrainedWeight> /*weights*/, int64_t steps) override {
    end_ = StepAt(options_.end, steps);
    if (options_.delta_t >= end_) {
      Warn("{}: no weight changes its place: delta_t is {} and end is step {} of {}", type(),
           options_.delta_t, end_, steps);
    }
  }

  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      TrainedWeight& weight = weights[static_cast<size_t>(i)];
      if (info.step == 0) {
        MakeMask(*context_.generator, weight.sparsity(), weight);
        ZeroPruned(weight);
      }
      weight.ShowMasked();
    });
    return {.masks = info.step == 0 || Updates(info.step - 1)};
  }

  bool Backward(const StepInfo& info, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    if (!Updates(info.step)) {
      MaskGradients(weights, gradients);
      return true;
    }
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      Update(info.step, *gradients[static_cast<size_t>(i)], weights[static_cast<size_t>(i)]);
    });
    MaskGradients(weights, gradients);
    return false;
  }

  bool HoldsPruned() const override { return true; }

  void Finish(std::span<TrainedWeight> weights) override { ShowFinal(type(), weights); }

 private:
  bool Updates(int64_t step) const {
    return step > 0 && step < end_ && step % options_.delta_t == 0;
  }

  void Update(int64_t step, const Tensor& gradient, TrainedWeight& weight) const {
    if (const int64_t bad = FirstNonFinite(gradient); bad >= 0) {
      Fail(weight.name(), "the gradient holds {} at flat index {} in step {}; {} cannot rank it",
           gradient[bad], bad, step, type());
    }
    const double phase = std::numbers::pi * static_cast<double>(step) / static_cast<double>(end_);
    const double share = options_.alpha / 2 * (1 + std::cos(phase));
    Mask mask = weight.mask();
    const auto count = static_cast<int64_t>(share * static_cast<double>(mask.CountKept()));
    Drop(weight.latent, count, mask);
    Grow(gradient, count, mask);
    weight.SetMask(std::move(mask));
    ZeroPruned(weight);  // those that come later come at 0
  }

  RigLOptions options_;
  RuleContext context_;
  int64_t end_ = 0;
};

}  // namespace

RigLScheduler::RigLScheduler(const RigLOptions& options) : options_(options) {
  CheckKwarg("alpha", options_.alpha, {.min = 0, .max = 1});
  CheckKwarg("delta_t", static_cast<double>(options_.delta_t), {.min = 2});
  CheckKwarg("end", options_.end, {.min = 0, .max = 1});
}

std::unique_ptr<PruningRule> RigLScheduler::MakeRule(const RuleContext& context) const {
  if (context.generator && !TakesSingleWeights(*context.generator)) {
    FailUsage("scheduler.type",
              "RigLScheduler grows single weights where the gradient is largest, which breaks the "
              "pattern of {}; take mask_generator.type NormalMaskGenerator, not structured, or "
              "RandomMaskGenerator",
              context.generator->type());
  }
  return std::make_unique<RigLRule>(options_, context);
}

}  // namespace sparsify
