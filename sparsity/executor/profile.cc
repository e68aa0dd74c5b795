#include "sparsity/executor/profile.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>
#include <optional>

#include "sparsity/base/interrupt.h"
#include "sparsity/base/random.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {
namespace {

constexpr uint64_t kInputSeed = 20240229;

/// Random images of a plan's inputs, and memory for its outputs.
struct Images {
  explicit Images(const Plan& plan) {
    Random random(kInputSeed);
    for (const Shape& shape : plan.input_shapes()) {
      Tensor& input = tensors.emplace_back(shape);
      for (float& x : input.values()) x = static_cast<float>(random.Normal());
      in.push_back(input.data());
    }
    for (const Shape& shape : plan.output_shapes()) {
      out.push_back(tensors.emplace_back(shape).data());
    }
  }

  std::vector<Tensor> tensors;  // moving a tensor keeps its memory where it is
  std::vector<const float*> in;
  std::vector<float*> out;
};

/// Milliseconds of this thread's own processor time.
double ThreadMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

double WallMs() {
  const std::chrono::duration<double, std::milli> now =
      std::chrono::steady_clock::now().time_since_epoch();
  return now.count();
}

/// A plan, its dense baseline and what they run on.
struct Plans {
  Plans(const Graph& graph, const PlanOptions& options)
      : dense(graph, Dense(options)),
        images(dense),
        clock(options.threads == 1 ? ThreadMs : WallMs) {
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
  const Images images;
  double (*const clock)();
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
