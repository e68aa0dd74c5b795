#include "sparsity/executor/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/random.h"
#include "sparsity/executor/plan_cache.h"
#include "sparsity/executor/stolen_time.h"
#include "sparsity/executor/thread_scope.h"
#include "sparsity/graph/layers.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"

namespace sparsify {
namespace {

constexpr uint64_t kInputSeed = 20240229;

/// Random images of a plan's inputs, and memory for its outputs.
struct Batch {
  explicit Batch(const Plan& plan) {
    Random random(kInputSeed);
    for (const Shape& shape : plan.input_shapes()) {
      Tensor& input = inputs.emplace_back(shape);
      for (float& x : input.values()) x = static_cast<float>(random.Normal());
      in.push_back(input.data());
    }
    for (const Shape& shape : plan.output_shapes()) {
      out.push_back(outputs.emplace_back(shape).data());
    }
  }

  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<const float*> in;
  std::vector<float*> out;
};

void CheckPrecision(const BenchmarkOptions& options) {
  for (const std::string& precision : options.precision) {
    if (precision != "f32") {
      FailUsage("benchmark.precision", "\"{}\" is not built yet; available: f32", precision);
    }
  }
}

std::vector<Tensor> Reference(const Graph& graph, const std::vector<Tensor>& inputs, int threads) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  const ThreadScope scope(threads);
  return Interpreter(graph).Run(pointers);
}

/// Runs the plan once and returns its error; throws when rounding cannot explain it.
double Verify(const Graph& graph, const Plan& plan, Batch& batch,
              const std::vector<Tensor>& expected, std::string_view which) {
  plan.Run(batch.in, batch.out);
  const double error = LargestError(batch.outputs, expected);
  const double tolerance = RoundingTolerance(graph);
  if (!(error <= tolerance)) {
    Fail(graph.name,
         "outputs of the {} plan are off by {:.3g} of the largest, rounding explains {:.3g}; "
         "not timed",
         which, error, tolerance);
  }
  return error;
}

Timing Summary(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const size_t n = times.size();
  const double median = n % 2 == 1 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
  return {times.front(), median};
}

double RunTimed(const Plan& plan, Batch& batch) {
  const auto start = std::chrono::steady_clock::now();
  plan.Run(batch.in, batch.out);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

/// A B C A B C …, after one run of each to warm up.
std::vector<Timing> Interleave(const std::vector<const Plan*>& plans, Batch& batch,
                               int64_t repetitions) {
  std::vector<std::vector<double>> times(plans.size());
  for (const Plan* plan : plans) RunTimed(*plan, batch);
  for (int64_t i = 0; i < std::max<int64_t>(1, repetitions); ++i) {
    ThrowIfInterrupted();
    for (size_t p = 0; p < plans.size(); ++p) times[p].push_back(RunTimed(*plans[p], batch));
  }
  std::vector<Timing> timings;
  for (std::vector<double>& of_plan : times) timings.push_back(Summary(std::move(of_plan)));
  return timings;
}

bool UsesWinograd(const Plan& plan) {
  return std::any_of(plan.report().steps.begin(), plan.report().steps.end(),
                     [](const StepReport& step) { return step.winograd; });
}

/// Percent of the layers' weights that are zero.
double AchievedSparsity(const Graph& graph) {
  int64_t zeros = 0;
  int64_t total = 0;
  for (const Layer& layer : FindLayers(graph, InferShapes(graph, 1))) {
    zeros += CountZeros(graph.value(layer.weight).data);
    total += layer.parameters;
  }
  return total == 0 ? 0 : 100.0 * static_cast<double>(zeros) / static_cast<double>(total);
}

std::string CacheFolder(const BenchmarkOptions& options) {
  if (!options.plan_cache) return "";
  return *options.plan_cache == "user" ? UserPlanCacheFolder() : *options.plan_cache;
}

void NoteCache(const Plan& plan, std::string_view which) {
  if (plan.report().cached_in.empty()) return;
  Note("{} plan: kernels as chosen in an earlier run ({})", which, plan.report().cached_in);
}

/// Puts the dense plan in the row of a tuned plan that does not pay.
void UseDense(const Plan& dense, SpeedRow& row) {
  const std::string reason = fmt::format("whole sparse plan {:.2f} ms, dense {:.2f} ms",
                                         row.sparse.median_ms, row.dense.median_ms);
  Note("batch {}, {} threads: {}; the dense plan is used", row.batch, row.threads, reason);
  row.plan = dense.report();
  for (StepReport& step : row.plan.steps) {
    if (step.is_layer && step.reason.empty()) step.reason = reason;
  }
  row.sparse = row.dense;
}

}  // namespace

void BenchmarkOptions::VisitFields(OptionVisitor& v) {
  v.Field("batch", batch, {.min = 1, .max = 4096}, "images a run, one table row each");
  v.Field("threads", threads, {.min = 1, .max = 1024}, "worker threads, one table row each");
  v.Field("precision", precision, "number formats: f32");
  v.Field("repetitions", repetitions, {.min = 1}, "timed runs of each plan, interleaved");
  v.Field("min_sparsity", min_sparsity, {.min = 0, .max = 1},
          "layers below this sparsity (a fraction) are not tried with sparse kernels");
  v.Field("winograd", winograd,
          "let dense layers of both plans compute by Winograd's algorithm where that is faster");
  v.Field(
      "plan_cache", plan_cache,
      "folder that keeps the kernels chosen for a plan, so that the next run need not time them "
      "again; user: sparsify/plans in the user's cache folder; None: choose anew");
}

double LargestError(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  double error = 0;
  double largest = std::numeric_limits<double>::min();
  for (size_t i = 0; i < expected.size(); ++i) {
    for (int64_t j = 0; j < expected[i].size(); ++j) {
      const double difference = std::abs(double{actual[i][j]} - double{expected[i][j]});
      if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
      error = std::max(error, difference);
      largest = std::max(largest, std::abs(double{expected[i][j]}));
    }
  }
  return error / largest;
}

double RoundingTolerance(const Graph& graph) {
  double length = 1;
  for (const Layer& layer : FindLayers(graph, InferShapes(graph, 1))) {
    length += static_cast<double>(layer.parameters / layer.weight_shape[0]);
  }
  return std::ldexp(length, -24);
}

SpeedRow MeasureSpeedup(const Graph& sparse_graph, int64_t batch, int threads,
                        const BenchmarkOptions& options) {
  CheckPrecision(options);
  PlanOptions plan_options{.batch = batch,
                           .threads = threads,
                           .allow_sparse = true,
                           .min_sparsity = options.min_sparsity,
                           .winograd = options.winograd,
                           .cache_folder = CacheFolder(options)};
  const Plan sparse(sparse_graph, plan_options);
  plan_options.allow_sparse = false;
  const Plan dense(sparse_graph, plan_options);
  std::optional<Plan> without_winograd;
  if (UsesWinograd(dense)) {
    plan_options.winograd = false;
    without_winograd.emplace(sparse_graph, plan_options);
  }
  NoteCache(sparse, "sparse");
  NoteCache(dense, "dense");
  const Plan& direct = without_winograd ? *without_winograd : dense;
  Batch images(dense);
  const std::vector<Tensor> expected = Reference(sparse_graph, images.inputs, threads);
  Verify(sparse_graph, dense, images, expected, "dense");
  if (without_winograd) Verify(sparse_graph, direct, images, expected, "direct dense");

  SpeedRow row;
  row.batch = batch;
  row.threads = threads;
  row.precision = "f32";
  row.isa = sparse.report().isa;
  row.sparsity = AchievedSparsity(sparse_graph);
  row.max_error = Verify(sparse_graph, sparse, images, expected, "sparse");
  row.plan = sparse.report();
  std::vector<const Plan*> plans = {&sparse, &dense};
  if (without_winograd) plans.push_back(&direct);
  const auto before = ReadProcessorTime();
  const std::vector<Timing> timings = Interleave(plans, images, options.repetitions);
  row.steal_percent = StolenPercent(before, ReadProcessorTime());
  row.sparse = timings[0];
  row.dense = timings[1];
  row.direct = timings.back();
  const bool direct_wins = row.direct.median_ms < row.dense.median_ms;
  if (direct_wins) row.dense = row.direct;
  if (row.sparse.median_ms >= row.dense.median_ms) UseDense(direct_wins ? direct : dense, row);
  row.speedup = row.dense.median_ms / row.sparse.median_ms;
  row.speedup_min = row.dense.min_ms / row.sparse.min_ms;
  row.speedup_direct = row.direct.median_ms / row.sparse.median_ms;
  return row;
}

}  // namespace sparsify
