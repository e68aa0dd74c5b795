#include "sparsity/allocation/sensitivity_allocation.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "sparsity/allocation/budget.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

// What the network has besides the selected layers.
int64_t RestOf(const AllocationProblem& problem, BudgetKind kind) {
  if (kind == BudgetKind::kSize) return CountParameters(problem.graph) - problem.TotalWeights();
  int64_t macs = 0;
  for (const Layer& layer : problem.layers) macs += layer.macs;
  for (size_t i = 0; i < problem.selected.size(); ++i) macs -= problem.layer(i).macs;
  return macs;
}

void WarnOfExtrapolation(const std::vector<SensitivityCurve>& curves,
                         const std::vector<double>& sparsity) {
  constexpr double kLittle = 1e-3;
  std::vector<std::string> beyond;
  for (size_t i = 0; i < curves.size(); ++i) {
    const double last = *std::ranges::max_element(curves[i].sparsity);
    if (sparsity[i] <= last + kLittle) continue;
    beyond.push_back(fmt::format("{} ({:.1f} %, measured up to {:.1f} %)", curves[i].layer,
                                 100 * sparsity[i], 100 * last));
  }
  if (beyond.empty()) return;
  Warn(
      "allocation: {} layers go beyond what was measured, on a guessed loss: {}; measure higher "
      "sparsities (allocation.levels), or use ERK where almost everything goes",
      beyond.size(), fmt::join(beyond, ", "));
}

}  // namespace

std::vector<SensitivityCurve> SelectCurves(const std::vector<Layer>& layers,
                                           const std::vector<std::string>& skipped,
                                           const std::vector<SensitivityCurve>& curves,
                                           const std::string& where) {
  CheckCurves(curves, layers, where);
  std::vector<SensitivityCurve> selected;
  std::vector<std::string> missing;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!skipped[i].empty()) continue;
    const SensitivityCurve* curve = FindCurve(curves, layers[i].name);
    if (curve == nullptr) {
      missing.push_back(layers[i].name);
    } else {
      selected.push_back(*curve);
    }
  }
  if (!missing.empty()) {
    FailUsage(where,
              "no curve for {} of {} layers that may be pruned: {}; measure them, or exclude them "
              "with sparsity.layers",
              missing.size(), missing.size() + selected.size(), fmt::join(missing, ", "));
  }
  return selected;
}

std::vector<double> AllocateBySensitivity(const AllocationProblem& problem,
                                          const std::vector<SensitivityCurve>& curves,
                                          const std::string& where) {
  std::vector<std::string> skipped(problem.layers.size(), "not selected");
  for (const int i : problem.selected) skipped[static_cast<size_t>(i)].clear();
  const std::vector<SensitivityCurve> selected =
      SelectCurves(problem.layers, skipped, curves, where);
  Budget budget;
  budget.kind = BudgetKindOf(problem.options.budget);
  budget.reduction = problem.sparsity;
  budget.rest = RestOf(problem, budget.kind);
  const BudgetSolution solution =
      AllocateByBudget(selected, budget, problem.options.max_layer_sparsity);
  Verbose("allocation: {:.2f} % of the {} budget ({:.2f} % asked), summed loss {:.4g}",
          100 * solution.reduction, problem.options.budget, 100 * problem.sparsity, solution.loss);
  WarnOfExtrapolation(selected, solution.sparsity);
  return solution.sparsity;
}

std::vector<double> AllocateFromCurvesFile(const AllocationProblem& problem) {
  const std::string& path = problem.options.curves_file;
  if (path.empty()) {
    FailUsage("allocation.curves_file", "is empty, and no sensitivity has been measured");
  }
  return AllocateBySensitivity(problem, ReadSensitivity(path), path);
}

}  // namespace sparsify
