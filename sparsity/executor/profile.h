// Where a plan spends its time, step by step, beside the dense plan of the same network.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/plan.h"

namespace sparsify {

/// Least times over all repetitions; with one thread its own processor time: what other programs do
/// meanwhile is to count as little as can be.
struct PlanTimes {
  double dense_ms = 0;  // of the dense plan
  double ms = 0;        // of the plan that is used: the dense one where it is the faster
};

struct PlanProfile {
  PlanTimes times;
  PlanReport plan;              // of the plan that is used
  std::vector<double> step_ms;  // by plan.steps; least times, scaled to sum to times.ms
};

/// Plans `graph` and its dense baseline as `options` say (dense alone where it allows nothing
/// sparse) and times them in turns, `repetitions` times on random images. Outputs are not checked:
/// MeasureSpeedup does that. Polls for Ctrl-C.
PlanTimes TimePlan(const Graph& graph, const PlanOptions& options, int64_t repetitions);

/// The same with the steps' times.
PlanProfile ProfilePlan(const Graph& graph, const PlanOptions& options, int64_t repetitions);

}  // namespace sparsify
