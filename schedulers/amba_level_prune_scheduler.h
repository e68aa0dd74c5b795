// AmbaLevelPruneScheduler: training through equal stages of ever sparser levels.
#pragma once

#include "schedulers/scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// The K entries of sparsity_table make K stages, stage k from iteration ⌊k·total/K⌋ on: a
/// step function, not a ramp.
class AmbaLevelPruneScheduler : public Scheduler {
 public:
  /// Throws a usage Error when the table is empty, does not increase or is in fractions, or
  /// default_input_shape is not N,C,H,W.
  explicit AmbaLevelPruneScheduler(const AmbaLevelPruneOptions& options);

  std::string_view type() const override { return "AmbaLevelPruneScheduler"; }
  bool GivesSparsities() const override { return true; }
  /// The scheduler's own table wins over `levels`, and total_iters over `total_iterations`.
  /// Throws a usage Error when there are fewer iterations than stages.
  std::vector<Stage> Stages(int64_t total_iterations,
                            const std::vector<double>& levels) const override;
  /// total_iters, if it is given.
  int64_t TotalIterations(int64_t total_iterations) const override {
    return options_.total_iters.value_or(total_iterations);
  }
  bool Continues() const override { return true; }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  AmbaLevelPruneOptions options_;
};

/// How each level is spread over the layers: prun_algo 0 is Uniform, 1 is level with
/// prun_algo_tuning and sparse_rate_tolerance.
AllocationOptions AllocationOf(const AmbaLevelPruneOptions& options);

}  // namespace sparsify
