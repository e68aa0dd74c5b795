#include "schedulers/acdc_scheduler.h"

#include <algorithm>

#include "schedulers/masked_rule.h"
#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

class ACDCRule : public PruningRule {
 public:
  ACDCRule(const ACDCOptions& options, const RuleContext& context)
      : options_(options), context_(context), phases_(options, 0) {}

  std::string_view type() const override { return "ACDCScheduler"; }

  void Begin(std::span<TrainedWeight> /*weights*/, int64_t steps) override {
    phases_ = ACDCPhases(options_, steps);
    if (options_.phase * static_cast<double>(steps) < 1) {
      Warn("{}: a phase of {} of {} steps is none; phases of one step are taken", type(),
           options_.phase, steps);
    }
  }

  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    const bool compressed = phases_.Compressed(info.step);
    const bool was = info.step > 0 && phases_.Compressed(info.step - 1);
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      TrainedWeight& weight = weights[static_cast<size_t>(i)];
      if (compressed && !was) {
        MakeMask(*context_.generator, weight.sparsity(), weight);
        ZeroPruned(weight);
      } else if (was && !compressed) {
        weight.SetMask(Mask(weight.latent.shape()));
      }
      weight.ShowMasked();
    });
    return {.masks = compressed != was, .reset_momentum = was && !compressed};
  }

  bool Backward(const StepInfo& /*info*/, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    MaskGradients(weights, gradients);
    return true;
  }

  bool HoldsPruned() const override { return true; }

  void Finish(std::span<TrainedWeight> weights) override { ShowFinal(type(), weights); }

 private:
  ACDCOptions options_;
  RuleContext context_;
  ACDCPhases phases_;
};

}  // namespace

ACDCScheduler::ACDCScheduler(const ACDCOptions& options) : options_(options) {
  CheckKwarg("warm_up", options_.warm_up, {.min = 0, .max = 1, .max_open = true});
  CheckKwarg("phase", options_.phase, {.min = 0, .max = 1, .min_open = true});
  CheckKwarg("last_decompressed", options_.last_decompressed,
             {.min = 0, .max = 1, .max_open = true});
  CheckKwarg("last_compressed", options_.last_compressed, {.min = 0, .max = 1, .min_open = true});
  const double rest = 1 - options_.warm_up - options_.last_compressed;
  if (options_.last_decompressed > rest + 1e-9) {
    FailUsage("scheduler.kwargs.last_decompressed",
              "is {}, but warm_up {} and last_compressed {} leave {:.6g} of the run; lower one of "
              "them",
              options_.last_decompressed, options_.warm_up, options_.last_compressed,
              std::max(0.0, rest));
  }
}

std::unique_ptr<PruningRule> ACDCScheduler::MakeRule(const RuleContext& context) const {
  return std::make_unique<ACDCRule>(options_, context);
}

ACDCPhases::ACDCPhases(const ACDCOptions& options, int64_t steps)
    : warm_up_(StepAt(options.warm_up, steps)),
      phase_(std::max<int64_t>(1, StepAt(options.phase, steps))),
      last_compressed_(
          std::min(StepAt(1 - options.last_compressed, steps), std::max<int64_t>(0, steps - 1))),
      last_decompressed_(StepAt(1 - options.last_compressed - options.last_decompressed, steps)) {}

bool ACDCPhases::Compressed(int64_t step) const {
  if (step >= last_compressed_) return true;
  if (step < warm_up_ || step >= last_decompressed_) return false;
  return (step - warm_up_) / phase_ % 2 == 0;
}

}  // namespace sparsify
