// ProbMaskScheduler: every weight learns the probability that it stays, under a budget.
#pragma once

#include <span>

#include "schedulers/level_run_scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// Zhou et al., "Effective Sparsification of Neural Networks with Global Sparsity Constraint",
/// 2021. Below end the network computes with Ŵ = W ⊙ m, where m is a relaxed Bernoulli variable of
/// probability p (Gumbel-Softmax of two outcomes: logistic noise n) at temperature τ,
///   m = σ((logit p + n)/τ), ∂L/∂W = m·∂L/∂Ŵ, ∂L/∂p = W·∂L/∂Ŵ·m(1 − m)/(τ·p(1 − p)).
/// p starts at 1, takes Adam steps of learning_rate, which falls to 0 along a cosine, with the norm
/// of each tensor's ∂L/∂p bounded by 3 (the slope has a heavy tail near 0 and 1; the authors bound
/// the norm over all tensors), and is put back on {0 <= p <= 1, Σp <= K} after each. K goes from
/// all weights at `begin` along a cubic ramp to the kept count of the targets at ramp_end; τ from 1
/// to last_temperature, linearly. `budget`: "network", the paper's, is one K over all tensors,
/// which learn their shares of it; "layer" is a K for each, at its own target. At end each tensor
/// keeps its most probable elements, exactly as many as its own target says; of equally probable
/// ones the larger |w|. How far the learned share was from the target is said. The rest of the run
/// trains under these masks. Deviation: one sample of m a step (the paper: two). The noise depends
/// on seed, layer and step only. Tensors whose target is 0 stay dense and outside the budget.
/// mask_is_static plays no part.
class ProbMaskScheduler : public LevelRunScheduler {
 public:
  /// Throws a usage Error for a kwarg out of its range, or unless begin < ramp_end <= end.
  explicit ProbMaskScheduler(const ProbMaskOptions& options);

  std::string_view type() const override { return "ProbMaskScheduler"; }
  /// Throws a usage Error unless the generator is the plain magnitude of single weights, which
  /// stands for none: it is not asked.
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  ProbMaskOptions options_;
};

/// The nearest point of {0 <= p <= 1, Σp <= budget}, all tensors together: clamp(p − v, 0, 1) with
/// the least v >= 0 that meets the budget, to a millionth of it.
void ProjectProbabilities(std::span<Tensor* const> probabilities, double budget);

/// A sample of m for each p into `relaxed`, with noise drawn from `seed`, `layer` and `step`.
void SampleRelaxed(const Tensor& probability, double temperature, uint64_t seed, uint64_t layer,
                   int64_t step, Tensor& relaxed);

/// ∂m/∂p of the sample m of p.
double RelaxedSlope(float probability, float relaxed, double temperature);

}  // namespace sparsify
