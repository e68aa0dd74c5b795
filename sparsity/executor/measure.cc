#include "sparsity/executor/measure.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/executor/plan_cache.h"
#include "sparsity/executor/stolen_time.h"
#include "sparsity/executor/stream_timing.h"
#include "sparsity/executor/thread_scope.h"
#include "sparsity/graph/layers.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"

namespace sparsify {
namespace {

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

/// Runs all streams once and returns their largest error; throws when rounding cannot explain it.
double Verify(const Graph& graph, StreamPlans& plans, int streams,
              const std::vector<Tensor>& expected, std::string_view which) {
  ThreadTeam team(streams);
  plans.Run(team, 1);
  ThrowIfInterrupted();
  double error = 0;
  for (const PlanBatch& batch : plans.batches()) {
    error = std::max(error, LargestError(batch.outputs, expected));
  }
  const double tolerance = RoundingTolerance(graph);
  if (!(error <= tolerance)) {
    Fail(graph.name,
         "outputs of the {} plan are off by {:.3g} of the largest, rounding explains {:.3g}; "
         "not timed",
         which, error, tolerance);
  }
  return error;
}

bool UsesWinograd(const Plan& plan) {
  return std::any_of(plan.report().steps.begin(), plan.report().steps.end(),
                     [](const StepReport& step) { return step.winograd; });
}

/// Percent of the layers' weights that are zero.
double AchievedSparsity(const Graph& graph) {
  int64_t zeros = 0;
  int64_t total = 0;
  for (const Layer& layer : FindLayers(graph, InferShapes(graph, UsableBatch(graph, 1)))) {
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

/// Times the layers of a plan that is dense throughout and was not tuned, where they run.
void TimeLayers(const StreamPlans& plans, PlanReport& report) {
  constexpr int kRepetitions = 3;
  const auto is_untimed = [](const StepReport& step) { return step.is_layer && step.time_ms <= 0; };
  if (std::none_of(report.steps.begin(), report.steps.end(), is_untimed)) return;
  const PlanBatch& batch = plans.batch();
  const std::vector<double> times = plans.plan().Profile(batch.in, batch.out, kRepetitions);
  for (size_t i = 0; i < times.size(); ++i) {
    StepReport& step = report.steps[i];
    if (is_untimed(step)) step.time_ms = step.dense_time_ms = times[i];
  }
}

/// Puts the dense plan in the row of a tuned plan that does not pay.
void UseDense(const StreamPlans& dense, SpeedRow& row) {
  const std::string reason = fmt::format("whole sparse plan {:.2f} ms, dense {:.2f} ms",
                                         row.sparse.median_ms, row.dense.median_ms);
  Note("{}: {}; the dense plan is used", row.Name(), reason);
  row.plan = dense.Report();
  for (StepReport& step : row.plan.steps) {
    if (step.is_layer && step.reason.empty()) step.reason = reason;
  }
  row.sparse = row.dense;
}

struct Sides {
  const StreamPlans* sparse;
  const StreamPlans* dense;
  const StreamPlans* direct;  // the dense one where Winograd's algorithm is not in use
};

/// Fills in times, ratios and the plan. `timings` are of sparse, dense and, if there is one,
/// direct.
void CompareSides(const std::vector<Timing>& timings, const Sides& sides, SpeedRow& row) {
  row.sparse = timings[0];
  row.dense = timings[1];
  row.direct = timings.back();
  const bool direct_wins = row.direct.median_ms < row.dense.median_ms;
  if (direct_wins) row.dense = row.direct;
  const StreamPlans& faster = direct_wins ? *sides.direct : *sides.dense;
  const bool use_dense = row.sparse.median_ms >= row.dense.median_ms;
  if (use_dense) UseDense(faster, row);
  TimeLayers(use_dense ? faster : *sides.sparse, row.plan);
  row.speedup = row.dense.median_ms / row.sparse.median_ms;
  row.speedup_min = row.dense.min_ms / row.sparse.min_ms;
  row.speedup_direct = row.direct.median_ms / row.sparse.median_ms;
}

}  // namespace

void BenchmarkOptions::VisitFields(OptionVisitor& v) {
  v.Field("batch", batch, {.min = 1, .max = 4096}, "images a run, one table row each");
  v.Field("threads", threads, {.min = 1, .max = 1024}, "worker threads, one table row each");
  v.Field("streams", streams, {.min = 1, .max = 1024},
          "batches at once, one table row each: every stream has its own threads, weights and "
          "activations; above 1 throughput is measured (images_per_second)");
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

PlanOptions PlanOptionsOf(const BenchmarkOptions& options, int64_t batch, int threads) {
  return {.batch = batch,
          .threads = threads,
          .allow_sparse = true,
          .min_sparsity = options.min_sparsity,
          .winograd = options.winograd,
          .cache_folder = CacheFolder(options)};
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
  constexpr double kFactor = 16;
  const std::vector<Shape> shapes = InferShapes(graph, UsableBatch(graph, 1));
  double length = 1;
  for (const Layer& layer : FindLayers(graph, shapes)) {
    length += static_cast<double>(layer.parameters / layer.weight_shape[0]);
  }
  const auto elements = [&](ValueId id) {
    return static_cast<double>(shapes[static_cast<size_t>(id)].NumElements());
  };
  for (const Node& node : graph.nodes()) {
    if (node.type != OpType::kGlobalAveragePool) continue;
    length += elements(node.inputs[0]) / elements(node.outputs[0]);
  }
  return kFactor * std::ldexp(std::sqrt(length), -24);
}

std::string SpeedRow::Name() const {
  return fmt::format("batch {}, {} threads{}", batch, threads,
                     streams == 1 ? "" : fmt::format(", {} streams", streams));
}

double SpeedRow::Rate(const Timing& timing) const {
  if (timing.median_ms <= 0) return 0;
  return 1e3 * static_cast<double>(batch * streams) / timing.median_ms;
}

void WarnOfCrowding(const BenchmarkOptions& options, int processors) {
  for (const int64_t threads : options.threads) {
    for (const int64_t streams : options.streams) {
      if (streams * threads <= processors) continue;
      if (streams == 1) {
        Warn("benchmark: {} threads share {} processors; such times are not the machine's", threads,
             processors);
        continue;
      }
      Warn(
          "benchmark: {} streams of {} threads share {} processors; use at most {} streams for the "
          "throughput of this machine",
          streams, threads, processors, std::max<int64_t>(1, processors / threads));
    }
  }
}

SpeedRow MeasureSpeedup(const Graph& sparse_graph, int64_t batch, int threads,
                        const BenchmarkOptions& options, int streams) {
  CheckPrecision(options);
  PlanOptions plan_options = PlanOptionsOf(options, batch, threads);
  StreamPlans sparse(sparse_graph, plan_options, streams);
  plan_options.allow_sparse = false;
  StreamPlans dense(sparse_graph, plan_options, streams);
  std::optional<StreamPlans> without_winograd;
  if (UsesWinograd(dense.plan())) {
    plan_options.winograd = false;
    without_winograd.emplace(sparse_graph, plan_options, streams);
  }
  NoteCache(sparse.plan(), "sparse");
  NoteCache(dense.plan(), "dense");
  StreamPlans& direct = without_winograd ? *without_winograd : dense;
  const std::vector<Tensor> expected = Reference(sparse_graph, dense.batch().inputs, threads);
  Verify(sparse_graph, dense, streams, expected, "dense");
  if (without_winograd) Verify(sparse_graph, direct, streams, expected, "direct dense");

  SpeedRow row;
  row.batch = batch;
  row.threads = threads;
  row.streams = streams;
  row.precision = "f32";
  row.isa = sparse.plan().report().isa;
  row.sparsity = AchievedSparsity(sparse_graph);
  row.max_error = Verify(sparse_graph, sparse, streams, expected, "sparse");
  row.plan = sparse.Report();
  std::vector<StreamPlans*> sides = {&sparse, &dense};
  if (without_winograd) sides.push_back(&direct);
  const auto before = ReadProcessorTime();
  const std::vector<Timing> timings = TimeInTurns(sides, streams, options.repetitions);
  row.steal_percent = StolenPercent(before, ReadProcessorTime());
  CompareSides(timings, {&sparse, &dense, &direct}, row);
  row.peak = MeasurePeak(DetectIsa(), threads);
  return row;
}

}  // namespace sparsify
