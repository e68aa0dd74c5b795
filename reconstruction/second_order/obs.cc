#include "reconstruction/second_order/obs.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <queue>
#include <tuple>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

int64_t BandsOfGroup(const LayerStatistics& statistics, int64_t band_rows) {
  return (statistics.rows() + band_rows - 1) / band_rows;
}

double Operations(const LayerStatistics& statistics, const PrunePattern& pattern) {
  const auto columns = static_cast<double>(statistics.columns());
  const int64_t bands = BandsOfGroup(statistics, pattern.RowsTogether()) * statistics.groups();
  return static_cast<double>(bands) * columns * columns * columns / 3;
}

// Workers whose memory fits.
int64_t FittingWorkers(const LayerStatistics& statistics, const ObsOptions& options) {
  const auto columns = static_cast<double>(statistics.columns());
  const double bytes = columns * columns * sizeof(double);
  return static_cast<int64_t>(std::min(static_cast<double>(options.max_bytes) / bytes, 1e6));
}

// Traces the bands of one group into traces[0 … bands).
void TraceBands(const Matrix& inverse, const Matrix& optimum, const ObsTraces& all, int64_t workers,
                int64_t bands, ObsTrace* traces) {
  const int64_t band_rows = all.pattern.RowsTogether();
  std::atomic<int64_t> next = 0;
  ParallelFor(workers, [&](int64_t) {
    for (int64_t b = next++; b < bands; b = next++) {
      const int64_t first = b * band_rows;
      const int64_t rows = std::min(band_rows, optimum.rows() - first);
      traces[b] = TraceBand(inverse, optimum.middleRows(first, rows), all.sets, all.pattern);
    }
  });
}

double BandWeight(const GroupProblem& problem, int64_t first, int64_t rows, bool scale) {
  return RowWeight(problem.target_variance.segment(first, rows).mean(), scale);
}

// How many units of each band go.
std::vector<size_t> Allocate(const ObsTraces& traces, int64_t count) {
  using Next = std::tuple<double, size_t>;  // weighted cost, band
  std::priority_queue<Next, std::vector<Next>, std::greater<>> queue;
  std::vector<size_t> removed(traces.bands.size(), 0);
  const auto push = [&](size_t band) {
    const auto& costs = traces.bands[band].costs;
    if (removed[band] < costs.size()) {
      queue.emplace(costs[removed[band]] * traces.weight[band], band);
    }
  };
  for (size_t band = 0; band < traces.bands.size(); ++band) push(band);
  for (; count > 0 && !queue.empty(); --count) {
    const size_t band = std::get<1>(queue.top());
    queue.pop();
    ++removed[band];
    push(band);
  }
  return removed;
}

}  // namespace

std::string ObsObstacle(const LayerStatistics& statistics, const ObsOptions& options) {
  const double operations = Operations(statistics, options.pattern);
  if (!(operations <= options.max_operations)) {
    return fmt::format(
        "exact OBS needs {:.2g} operations ({} rows of {} columns), at most {:.2g} are allowed",
        operations, BandsOfGroup(statistics, options.pattern.RowsTogether()) * statistics.groups(),
        statistics.columns(), options.max_operations);
  }
  if (FittingWorkers(statistics, options) < 1) {
    return fmt::format("exact OBS needs {} bytes a worker for {} columns, at most {} are allowed",
                       statistics.columns() * statistics.columns() * sizeof(double),
                       statistics.columns(), options.max_bytes);
  }
  return "";
}

ObsTraces TraceObs(const LayerStatistics& statistics, const Tensor& weight,
                   const ObsOptions& options) {
  CheckGiven(statistics, weight, options.damping);
  ObsTraces traces;
  traces.pattern = options.pattern;
  traces.sets = MakeColumnSets(statistics, options.pattern);
  traces.damping = options.damping;
  const std::string obstacle = ObsObstacle(statistics, options);
  if (!obstacle.empty()) {
    Fail(statistics.layer_name(),
         "{}; use ADMM for this layer or raise max_operations or max_bytes", obstacle);
  }
  const int64_t band_rows = options.pattern.RowsTogether();
  const int64_t bands = BandsOfGroup(statistics, band_rows);
  const int64_t workers =
      std::min<int64_t>({Threads(), bands, FittingWorkers(statistics, options)});
  traces.bands.resize(static_cast<size_t>(bands * statistics.groups()));
  for (int64_t group = 0; group < statistics.groups(); ++group) {
    double used = options.damping;
    SolveWithDamping(
        statistics, weight, group, used, traces.damping_raises, [&](GroupProblem& problem) {
          Matrix optimum;
          if (!DenseOptimum(problem, optimum)) return false;
          if (!InvertSymmetric(problem.hessian)) return false;
          TraceBands(problem.hessian, optimum, traces, workers, bands,
                     traces.bands.data() + group * bands);
          for (int64_t first = 0; first < statistics.rows(); first += band_rows) {
            const int64_t rows = std::min(band_rows, statistics.rows() - first);
            traces.weight.push_back(BandWeight(problem, first, rows, options.scale_rows));
          }
          return true;
        });
    traces.damping = std::max(traces.damping, used);
  }
  return traces;
}

LayerSolution PruneByTraces(const LayerStatistics& statistics, const Tensor& weight,
                            const ObsTraces& traces, double sparsity) {
  CheckSparsity(statistics, sparsity);
  const int64_t band_rows = traces.pattern.RowsTogether();
  const int64_t bands = BandsOfGroup(statistics, band_rows);
  if (static_cast<int64_t>(traces.bands.size()) != bands * statistics.groups()) {
    Fail(statistics.layer_name(), "{} traces given, the layer has {} bands of rows",
         traces.bands.size(), bands * statistics.groups());
  }
  const bool nm = traces.pattern.kind == PruneKind::kNM;
  int64_t units = 0;
  for (const ObsTrace& band : traces.bands) units += static_cast<int64_t>(band.units.size());
  const std::vector<size_t> removed = Allocate(traces, nm ? units : PruneCount(units, sparsity));
  const LeastSquaresOptions least_squares;
  LayerSolution layer =
      SolveLayer(statistics, weight, traces.damping,
                 [&](int64_t group, GroupProblem& problem, GroupSolution& solution) {
                   solution.keep = KeepMatrix::Ones(statistics.rows(), statistics.columns());
                   for (int64_t b = 0; b < bands; ++b) {
                     const auto band = static_cast<size_t>(group * bands + b);
                     const int64_t rows = std::min(band_rows, statistics.rows() - b * band_rows);
                     for (size_t i = 0; i < removed[band]; ++i) {
                       const auto unit = static_cast<size_t>(traces.bands[band].units[i]);
                       const ColumnSet single = {static_cast<int64_t>(unit)};
                       for (const int64_t column : nm ? single : traces.sets[unit]) {
                         solution.keep.col(column).segment(b * band_rows, rows) = 0;
                       }
                     }
                   }
                   return SolveOnSupport(problem, least_squares, solution);
                 });
  layer.damping_raises += traces.damping_raises;
  return layer;
}

LayerSolution PruneObs(const LayerStatistics& statistics, const Tensor& weight,
                       const ObsOptions& options) {
  CheckSparsity(statistics, options.sparsity);
  return PruneByTraces(statistics, weight, TraceObs(statistics, weight, options), options.sparsity);
}

}  // namespace sparsify
