// PolynomialScheduler: magnitude pruning that grows along a polynomial while training goes on.
#pragma once

#include "schedulers/level_run_scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// Zhu & Gupta, "To prune, or not to prune", 2017, equation 1, for each weight with its own last
/// sparsity s_f, between the steps t₀ = begin and t₁ = end:
///   s(t) = s_f + (s_i − s_f)·(1 − (t − t₀)/(t₁ − t₀))^power;
/// nothing is pruned before t₀; s_i is no more than s_f. Masks are made from the latent weights at
/// t₀, every `frequency` steps after it and at t₁, and stay from then on. Between two of these
/// pruned weights get no gradient; at the next a weight comes back if the others have fallen below
/// it.
/// mask_is_static: true holds the pruned weights at the value they had, as in the paper; false lets
/// momentum and weight decay move them on.
/// A generator of a fixed pattern (N:M) gives it in full at t₀: then there is no ramp.
class PolynomialScheduler : public LevelRunScheduler {
 public:
  /// Throws a usage Error for a kwarg out of its range, or begin >= end.
  explicit PolynomialScheduler(const PolynomialOptions& options);

  std::string_view type() const override { return "PolynomialScheduler"; }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  PolynomialOptions options_;
};

/// s(t) at the part `x` of the way from t₀ to t₁, 0 … 1.
double PolynomialRamp(double initial, double last, double power, double x);

}  // namespace sparsify
