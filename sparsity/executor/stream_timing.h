// A plan run by several streams at once, and plans timed in turns.
//
// A stream is a thread with a plan of its own (the plan's own worker threads come on top) that
// runs batches one after the other: what a server does with the requests of many clients.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/measure.h"
#include "sparsity/executor/plan.h"
#include "sparsity/executor/plan_batch.h"
#include "sparsity/executor/thread_team.h"

namespace sparsify {

/// The same plan for each stream, with memory, images and constants of its own.
class StreamPlans {
 public:
  /// `streams` ≥ 1. Kernels are chosen once, for a stream that runs alone.
  StreamPlans(const Graph& graph, const PlanOptions& options, int streams);

  const Plan& plan() const { return plans_.front(); }
  const PlanBatch& batch() const { return batches_.front(); }
  const std::vector<PlanBatch>& batches() const { return batches_; }

  /// The report of one plan with the memory of all.
  PlanReport Report() const;

  /// All streams at once, each `runs` times; `team` has a member for each. Returns the
  /// milliseconds of a run of all. After Ctrl-C streams stop early and the time means nothing.
  double Run(ThreadTeam& team, int64_t runs);

 private:
  std::vector<Plan> plans_;
  std::vector<PlanBatch> batches_;
};

/// A B C A B C …, after a run of each to warm up, until each has run about `repetitions` times:
/// one run a turn, or five where there are several streams, as those drift apart and wait for
/// each other at the end of a turn. Times are those of a run. Polls for Ctrl-C.
std::vector<Timing> TimeInTurns(const std::vector<StreamPlans*>& sides, int streams,
                                int64_t repetitions);

}  // namespace sparsify
