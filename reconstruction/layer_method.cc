#include "reconstruction/layer_method.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "reconstruction/second_order/admm.h"
#include "reconstruction/second_order/least_squares.h"
#include "reconstruction/second_order/obs.h"
#include "reconstruction/second_order/sparse_gpt.h"
#include "reconstruction/second_order/statistics_correction.h"
#include "reconstruction/second_order/wanda.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

struct MethodRow {
  LayerMethod method;
  std::string_view name;
  std::string_view title;
};

constexpr std::array<MethodRow, 6> kMethods = {{
    {LayerMethod::kLeastSquares, "least_squares", "least squares"},
    {LayerMethod::kObs, "obs", "exact OBS"},
    {LayerMethod::kAdmm, "admm", "ADMM"},
    {LayerMethod::kSparseGpt, "sparse_gpt", "SparseGPT"},
    {LayerMethod::kWanda, "wanda", "Wanda"},
    {LayerMethod::kStatistics, "statistics", "statistics correction"},
}};

const MethodRow& RowOf(LayerMethod method) {
  return *std::find_if(kMethods.begin(), kMethods.end(),
                       [&](const MethodRow& row) { return row.method == method; });
}

void AddRemark(const std::string& sentence, std::string& remark) {
  if (!remark.empty()) remark += "; ";
  remark += sentence;
}

LayerSolution LeastSquares(const LayerStatistics& statistics, const Tensor& dense, const Mask& mask,
                           double damping) {
  LeastSquaresOptions options;
  options.damping = damping;
  return SolveLeastSquares(statistics, dense, mask, options);
}

// What Admm, SparseGpt and Wanda have in common.
template <class Options>
Options OptionsOf(double sparsity, const LayerRepairOptions& chosen) {
  Options options;
  options.sparsity = sparsity;
  options.pattern = chosen.pattern;
  options.least_squares.damping = chosen.damping;
  return options;
}

LayerSolution Admm(const LayerStatistics& statistics, const Tensor& dense, double sparsity,
                   const LayerRepairOptions& chosen) {
  auto options = OptionsOf<AdmmOptions>(sparsity, chosen);
  options.scale_rows = chosen.scale_rows;
  options.iterations = chosen.admm_iterations;
  return PruneAdmm(statistics, dense, options);
}

LayerSolution SparseGpt(const LayerStatistics& statistics, const Tensor& dense, double sparsity,
                        const LayerRepairOptions& chosen) {
  auto options = OptionsOf<SparseGptOptions>(sparsity, chosen);
  options.scale_rows = chosen.scale_rows;
  options.refit = true;
  return PruneSparseGpt(statistics, dense, options);
}

LayerSolution Wanda(const LayerStatistics& statistics, const Tensor& dense, double sparsity,
                    const LayerRepairOptions& chosen) {
  auto options = OptionsOf<WandaOptions>(sparsity, chosen);
  options.refit = true;
  return PruneWanda(statistics, dense, options);
}

LayerSolution Obs(const LayerStatistics& statistics, const Tensor& dense, double sparsity,
                  const LayerRepairOptions& chosen, std::string& remark) {
  ObsOptions options;
  options.sparsity = sparsity;
  options.pattern = chosen.pattern;
  options.scale_rows = chosen.scale_rows;
  options.damping = chosen.damping;
  options.max_operations = chosen.obs_operations;
  const std::string obstacle = ObsObstacle(statistics, options);
  if (obstacle.empty()) return PruneObs(statistics, dense, options);
  AddRemark(fmt::format("ADMM instead: {}", obstacle), remark);
  Note("{}: {}", statistics.layer_name(), remark);
  return Admm(statistics, dense, sparsity, chosen);
}

// N:M groups run over input channels; some may have no whole group.
void RemarkOnShortGroups(const LayerStatistics& statistics, const PrunePattern& pattern,
                         std::string& remark) {
  if (pattern.kind != PruneKind::kNM) return;
  const int64_t inputs = statistics.columns() / statistics.taps();
  const int64_t rest = inputs % pattern.m;
  if (rest == 0) return;
  AddRemark(fmt::format("{} of the last {} of {} input channels stay at each tap, as {} is no "
                        "multiple of {}",
                        std::min(pattern.n, rest), rest, inputs, inputs, pattern.m),
            remark);
}

LayerSolution Choose(const LayerStatistics& statistics, const Tensor& dense, const Mask& mask,
                     const LayerRepairOptions& options, std::string& remark) {
  if (mask.CountPruned() == 0) return LeastSquares(statistics, dense, mask, options.damping);
  RemarkOnShortGroups(statistics, options.pattern, remark);
  switch (options.method) {
    case LayerMethod::kObs:
      return Obs(statistics, dense, mask.Sparsity(), options, remark);
    case LayerMethod::kAdmm:
      return Admm(statistics, dense, mask.Sparsity(), options);
    case LayerMethod::kSparseGpt:
      return SparseGpt(statistics, dense, mask.Sparsity(), options);
    case LayerMethod::kWanda:
      return Wanda(statistics, dense, mask.Sparsity(), options);
    case LayerMethod::kLeastSquares:
    case LayerMethod::kStatistics:
      break;
  }
  return LeastSquares(statistics, dense, mask, options.damping);
}

void RemarkOnCorrection(const CorrectionCounts& counts, const CorrectionOptions& options,
                        std::string& remark) {
  if (counts.limited > 0) {
    AddRemark(fmt::format("{} channels would need a factor outside {:g} … {:g}", counts.limited,
                          options.min_scale, options.max_scale),
              remark);
  }
  if (counts.flat > 0) {
    AddRemark(fmt::format("{} constant channels keep their weights", counts.flat), remark);
  }
}

}  // namespace

std::string_view LayerMethodName(LayerMethod method) { return RowOf(method).name; }
std::string_view LayerMethodTitle(LayerMethod method) { return RowOf(method).title; }

LayerMethod LayerMethodFromName(std::string_view where, std::string_view name) {
  std::vector<std::string> known;
  for (const MethodRow& row : kMethods) {
    if (row.name == name) return row.method;
    known.emplace_back(row.name);
  }
  FailUsage(where, "unknown method \"{}\"{}; known: {}", name, DidYouMean(name, known),
            fmt::join(known, ", "));
}

LayerSolution SolveByMethod(const LayerStatistics& statistics, const Tensor& dense,
                            const Tensor& given, const Mask& mask,
                            const LayerRepairOptions& options, std::string& remark) {
  if (options.method == LayerMethod::kStatistics) {
    const CorrectionOptions correction;
    CorrectionCounts counts;
    LayerSolution layer = CorrectGiven(statistics, given, mask, correction, counts);
    RemarkOnCorrection(counts, correction, remark);
    return layer;
  }
  LayerSolution layer = Choose(statistics, dense, mask, options, remark);
  if (layer.damping_raises > 0) {
    AddRemark(fmt::format("damping raised to {:g}, as {} factorisations failed", layer.damping,
                          layer.damping_raises),
              remark);
  }
  if (!layer.converged) {
    AddRemark(fmt::format("least squares stopped after {} iterations at relative residual {:.1e}",
                          layer.iterations, layer.residual),
              remark);
  }
  if (options.statistics_correction) MatchStatistics(statistics, layer, remark);
  return layer;
}

void MatchStatistics(const LayerStatistics& statistics, LayerSolution& layer, std::string& remark) {
  const CorrectionOptions correction;
  RemarkOnCorrection(CorrectStatistics(statistics, correction, layer), correction, remark);
}

}  // namespace sparsify
