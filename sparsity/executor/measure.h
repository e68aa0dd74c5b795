// Honest timing of a sparse plan against its dense baseline: verified first, interleaved
// in one process, minimum and median of many repetitions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/executor/machine_peak.h"
#include "sparsity/executor/plan.h"

namespace sparsify {

/// The `benchmark:` section.
struct BenchmarkOptions {
  std::vector<int64_t> batch = {8};
  std::vector<int64_t> threads = {1};
  std::vector<int64_t> streams = {1};
  std::vector<std::string> precision = {"f32"};
  int64_t repetitions = 50;
  double min_sparsity = 0.3;
  bool winograd = true;
  std::optional<std::string> plan_cache = "user";

  void VisitFields(OptionVisitor& v);
};

/// The plan that the benchmark makes of a sparse network.
PlanOptions PlanOptionsOf(const BenchmarkOptions& options, int64_t batch, int threads);

struct Timing {
  double min_ms = 0;
  double median_ms = 0;
};

/// One row of speedup.csv.
struct SpeedRow {
  int64_t batch = 0;
  int threads = 0;        // of a stream
  int streams = 1;        // batches at once, each on threads and in memory of its own
  std::string precision;  // "f32"
  std::string isa;
  /// Percent. MeasureSpeedup gives the layers' achieved one; a sweep puts the requested one.
  double sparsity = 0;
  /// Of a run of all streams, which is streams · batch images.
  Timing dense;   // of the faster dense plan
  Timing direct;  // of the dense plan without Winograd's algorithm
  Timing sparse;
  double speedup = 0;         // dense.median / sparse.median
  double speedup_min = 0;     // dense.min / sparse.min
  double speedup_direct = 0;  // direct.median / sparse.median
  /// Layers that were not timed in tuning are timed in place, one stream alone; constant_bytes and
  /// arena_bytes are of all streams together.
  PlanReport plan;
  MachinePeak peak;      // for `isa` and `threads`
  double max_error = 0;  // of the sparse plan's outputs against the reference, relative to max |y|
  double steal_percent = 0;  // of processor time taken by other guests while timing

  double ImagesPerSecond() const { return Rate(sparse); }
  double DenseImagesPerSecond() const { return Rate(dense); }
  /// "batch 8, 2 threads", "batch 8, 2 threads, 4 streams"
  std::string Name() const;

 private:
  double Rate(const Timing& timing) const;  // by the median
};

/// Builds a sparse and a dense plan (from the same sparse weights: dense time does not depend on
/// values), and where Winograd's algorithm is in use a dense one without it; checks them against
/// the interpreter on random images (throws Error on mismatch), then times them in turn. When the
/// tuned plan is not faster than the faster dense one as a whole, that one is used for the row and
/// the report says so.
/// With `streams` above 1 that many plans of each side run at once, each on a thread of its own.
/// Polls for Ctrl-C. Throws a usage error for a precision other than f32.
SpeedRow MeasureSpeedup(const Graph& sparse_graph, int64_t batch, int threads,
                        const BenchmarkOptions& options, int streams = 1);

/// Warns of threads and streams that have to share processors: streams · threads above
/// `processors`.
void WarnOfCrowding(const BenchmarkOptions& options, int processors);

/// Largest |actual − expected| over largest |expected|, all outputs together.
double LargestError(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected);

/// What rounding may explain of that: 16 · 2^−24 · √(Σ of the reduction lengths of layers and of
/// pools over whole planes). Roundings are as good as independent, so that those of a sum grow with
/// the root of its length (Higham, "Accuracy and Stability of Numerical Algorithms", §2.8), and
/// those of successive layers add up likewise; the factor is for activations that shrink.
double RoundingTolerance(const Graph& graph);

}  // namespace sparsify
