#include "schedulers/polynomial_scheduler.h"

#include <algorithm>
#include <cmath>

#include "schedulers/masked_rule.h"
#include "schedulers/rule_support.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

class PolynomialRule : public PruningRule {
 public:
  PolynomialRule(const PolynomialOptions& options, const RuleContext& context)
      : options_(options), context_(context) {}

  std::string_view type() const override { return "PolynomialScheduler"; }

  void Begin(std::span<TrainedWeight> weights, int64_t steps) override {
    first_ = StepAt(options_.begin, steps);
    last_ = std::max(first_, StepAt(options_.end, steps));
    steps_ = steps;
    if (last_ - first_ <= options_.frequency) {
      Warn(
          "{}: no step of the ramp between its begin, step {}, and its end, step {}: frequency is "
          "{}",
          type(), first_, last_, options_.frequency);
    }
    if (weights.empty()) return;
    const TrainedWeight& weight = weights.front();
    if (context_.generator->Achievable(weight.latent.shape(), 0, weight.context()) > 0) {
      Warn("{}: {} gives its pattern in full at step {}: there is no ramp", type(),
           context_.generator->type(), first_);
    }
  }

  Prepared Prepare(const StepInfo& info, std::span<TrainedWeight> weights) override {
    const bool make = MakesMasks(info.step);
    ParallelFor(std::ssize(weights), [&](int64_t i) {
      TrainedWeight& weight = weights[static_cast<size_t>(i)];
      if (make) MakeMask(*context_.generator, Sparsity(info.step, weight.sparsity()), weight);
      weight.ShowMasked();
    });
    return {.masks = make};
  }

  bool Backward(const StepInfo& /*info*/, std::span<TrainedWeight> weights,
                std::span<Tensor* const> gradients) override {
    MaskGradients(weights, gradients);
    return true;
  }

  bool HoldsPruned() const override { return context_.mask_is_static; }

  void Finish(std::span<TrainedWeight> weights) override {
    // A ramp that ends with the training has its last step here.
    if (last_ >= steps_) {
      for (TrainedWeight& weight : weights) {
        MakeMask(*context_.generator, weight.sparsity(), weight);
      }
    }
    ShowFinal(type(), weights);
  }

 private:
  bool MakesMasks(int64_t step) const {
    return step == last_ ||
           (step >= first_ && step < last_ && (step - first_) % options_.frequency == 0);
  }
  double Sparsity(int64_t step, double last) const {
    if (step >= last_) return last;
    return PolynomialRamp(std::min(options_.initial_sparsity, last), last, options_.power,
                          static_cast<double>(step - first_) / static_cast<double>(last_ - first_));
  }

  PolynomialOptions options_;
  RuleContext context_;
  int64_t first_ = 0;  // t₀
  int64_t last_ = 0;   // t₁
  int64_t steps_ = 0;
};

}  // namespace

PolynomialScheduler::PolynomialScheduler(const PolynomialOptions& options) : options_(options) {
  CheckKwarg("initial_sparsity", options_.initial_sparsity, {.min = 0, .max = 1, .max_open = true});
  CheckKwarg("begin", options_.begin, {.min = 0, .max = 1, .max_open = true});
  CheckKwarg("end", options_.end, {.min = 0, .max = 1, .min_open = true});
  CheckKwarg("frequency", static_cast<double>(options_.frequency), {.min = 1});
  CheckKwarg("power", options_.power, {.min = 0, .min_open = true});
  if (options_.begin >= options_.end) {
    FailUsage("scheduler.kwargs.end", "is {}; must be above begin, which is {}", options_.end,
              options_.begin);
  }
}

std::unique_ptr<PruningRule> PolynomialScheduler::MakeRule(const RuleContext& context) const {
  return std::make_unique<PolynomialRule>(options_, context);
}

double PolynomialRamp(double initial, double last, double power, double x) {
  return last + (initial - last) * std::pow(1 - x, power);
}

}  // namespace sparsify
