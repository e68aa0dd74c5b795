// BaseScheduler: masks on, nothing changes over time. Used post training.
#pragma once

#include "schedulers/scheduler.h"

namespace sparsify {

/// Every level is a run of its own, so each stage begins at iteration 0.
class BaseScheduler : public Scheduler {
 public:
  std::string_view type() const override { return "BaseScheduler"; }
  std::vector<Stage> Stages(int64_t total_iterations,
                            const std::vector<double>& levels) const override;
  bool NeedsTraining() const override { return false; }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;
};

}  // namespace sparsify
