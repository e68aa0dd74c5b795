// The base of schedulers that train every level of a sweep from the dense network.
#pragma once

#include "schedulers/scheduler.h"

namespace sparsify {

/// Every level is a run of its own, so each stage begins at iteration 0.
class LevelRunScheduler : public Scheduler {
 public:
  std::vector<Stage> Stages(int64_t /*total_iterations*/,
                            const std::vector<double>& levels) const override {
    std::vector<Stage> stages;
    for (const double level : levels) stages.push_back({level, 0});
    return stages;
  }
};

}  // namespace sparsify
