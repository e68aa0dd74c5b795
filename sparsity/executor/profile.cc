#include "sparsity/executor/profile.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "sparsity/base/interrupt.h"
#include "sparsity/executor/plan_batch.h"
#include "sparsity/executor/thread_clock.h"

namespace sparsify {
namespace {

/// A plan, its dense baseline and what they run on.
struct Plans {
  Plans(const Graph& graph, const PlanOptions& options)
      : dense(graph, Dense(options)), images(dense), clock(TimingClock(options.threads)) {
    if (options.allow_sparse) sparse.emplace(graph, options);
  }

  static PlanOptions Dense(PlanOptions options) {
    options.allow_sparse = false;
    return options;
  }

  PlanTimes Time(int64_t repetitions) const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    PlanTimes least{kInfinity, kInfinity};
    for (int64_t i = 0; i <= std::max<int64_t>(1, repetitions); ++i) {
      ThrowIfInterrupted();
      const double dense_ms = TimeOf(dense);
      const double sparse_ms = sparse ? TimeOf(*sparse) : dense_ms;
      if (i == 0) continue;  // a run of each to warm up
      least.dense_ms = std::min(least.dense_ms, dense_ms);
      least.ms = std::min(least.ms, sparse_ms);
    }
    return least;
  }

  double TimeOf(const Plan& plan) const {
    const double start = clock();
    plan.Run(images.in, images.out);
    return clock() - start;
  }

  const Plan dense;
  std::optional<Plan> sparse;
  const PlanBatch images;
  const MillisecondClock clock;
};

}  // namespace

PlanTimes TimePlan(const Graph& graph, const PlanOptions& options, int64_t repetitions) {
  PlanTimes times = Plans(graph, options).Time(repetitions);
  times.ms = std::min(times.ms, times.dense_ms);
  return times;
}

PlanProfile ProfilePlan(const Graph& graph, const PlanOptions& options, int64_t repetitions) {
  const Plans plans(graph, options);
  PlanProfile profile;
  profile.times = plans.Time(repetitions);
  const bool use_dense = profile.times.ms >= profile.times.dense_ms;
  if (use_dense) profile.times.ms = profile.times.dense_ms;
  const Plan& used = use_dense ? plans.dense : *plans.sparse;
  profile.plan = used.report();
  profile.step_ms = used.Profile(plans.images.in, plans.images.out,
                                 static_cast<int>(std::clamp<int64_t>(repetitions, 1, 1000)));
  const double sum = std::accumulate(profile.step_ms.begin(), profile.step_ms.end(), 0.0);
  for (double& ms : profile.step_ms) ms *= profile.times.ms / sum;
  return profile;
}

}  // namespace sparsify
