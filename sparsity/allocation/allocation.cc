#include "sparsity/allocation/allocation.h"

#include <fmt/ranges.h>

#include <cmath>
#include <functional>

#include "sparsity/allocation/allocation_problem.h"
#include "sparsity/allocation/erk_allocation.h"
#include "sparsity/allocation/global_allocation.h"
#include "sparsity/allocation/level_allocation.h"
#include "sparsity/allocation/sensitivity_allocation.h"
#include "sparsity/allocation/table_allocation.h"
#include "sparsity/allocation/uniform_allocation.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

// One row an allocation; `allocate` is null for the table, which is no function of the
// network's sparsity.
struct TypeRow {
  std::string_view type;
  std::vector<double> (*allocate)(const AllocationProblem&);
};

constexpr std::string_view kSensitivity = "Sensitivity";

template <GlobalScore kScore>
std::vector<double> Global(const AllocationProblem& problem) {
  return AllocateGlobal(problem, kScore);
}

std::vector<double> RefuseUnlearned(const AllocationProblem& /*problem*/) {
  FailUsage("allocation.type", "FCPTS is learned on data.calibration, and nothing has been");
}

constexpr TypeRow kTypes[] = {
    {"Uniform", AllocateUniform},
    {"ERK", AllocateErk},
    {"Magnitude", Global<GlobalScore::kMagnitude>},
    {"L1Normalized", Global<GlobalScore::kL1Normalized>},
    {"L2Normalized", Global<GlobalScore::kL2Normalized>},
    {"level", [](const AllocationProblem& problem) { return AllocateByLevel(problem).sparsity; }},
    {"table", nullptr},
    {kSensitivity, AllocateFromCurvesFile},
    {"FCPTS", RefuseUnlearned},
};

const TypeRow& FindRow(const std::string& type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  FailUsage("allocation.type", "unknown \"{}\"; known: {}", type,
            fmt::join(AllocationTypes(), ", "));
}

void CheckArguments(const std::vector<Layer>& layers, const std::vector<std::string>& skipped,
                    double sparsity, const AllocationOptions& options) {
  if (!(sparsity >= 0 && sparsity <= 1)) {
    Fail("allocation", "sparsity {} is outside 0 … 1; give a fraction, not percent", sparsity);
  }
  if (!(options.max_layer_sparsity > 0 && options.max_layer_sparsity <= 1)) {
    FailUsage("allocation.max_layer_sparsity", "{} is outside 0 … 1", options.max_layer_sparsity);
  }
  if (skipped.size() != layers.size()) {
    Fail("allocation", "{} skip reasons for {} layers", skipped.size(), layers.size());
  }
}

void NoteTable(const std::vector<Layer>& layers, const std::vector<std::string>& skipped,
               const std::vector<LayerTarget>& targets, double sparsity) {
  std::vector<double> each;
  for (const LayerTarget& target : targets) each.push_back(target.sparsity);
  const double sum = SumSparsity(layers, skipped, each).selected;
  if (std::abs(sum - sparsity) < 5e-5) return;
  Note("allocation: the table gives {:.2f} %; the requested {:.2f} % is not used", 100 * sum,
       100 * sparsity);
}

/// What the given allocation makes of the selected layers; the others stay dense.
std::vector<LayerTarget> TargetsOf(
    const AllocationProblem& given, const std::vector<std::string>& skipped,
    const std::function<std::vector<double>(const AllocationProblem&)>& allocate) {
  AllocationProblem problem = given;
  std::vector<LayerTarget> targets(skipped.size());
  for (size_t i = 0; i < skipped.size(); ++i) {
    targets[i].skipped = skipped[i];
    if (skipped[i].empty()) problem.selected.push_back(static_cast<int>(i));
  }
  if (problem.sparsity == 0) return targets;
  if (problem.TotalWeights() == 0) {
    Fail("allocation", "sparsity {:.4g} is asked for, but no layer may be pruned",
         problem.sparsity);
  }
  const std::vector<double> each = allocate(problem);
  for (size_t i = 0; i < each.size(); ++i) {
    targets[static_cast<size_t>(problem.selected[i])].sparsity = each[i];
  }
  return targets;
}

}  // namespace

std::vector<LayerTarget> Allocate(const Graph& graph, const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, double sparsity,
                                  const AllocationOptions& options) {
  const TypeRow& row = FindRow(options.type);
  CheckArguments(layers, skipped, sparsity, options);
  if (row.allocate != nullptr) {
    return TargetsOf({graph, layers, {}, sparsity, options}, skipped, row.allocate);
  }
  std::vector<LayerTarget> targets;
  for (const std::string& reason : skipped) targets.push_back({0, reason});
  AllocateFromTable(layers, options.table_file, targets);
  NoteTable(layers, skipped, targets, sparsity);
  return targets;
}

std::vector<LayerTarget> Allocate(const Graph& graph, const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, double sparsity,
                                  const AllocationOptions& options,
                                  const std::vector<SensitivityCurve>& curves,
                                  const std::string& where) {
  CheckArguments(layers, skipped, sparsity, options);
  return TargetsOf({graph, layers, {}, sparsity, options}, skipped,
                   [&](const AllocationProblem& problem) {
                     return AllocateBySensitivity(problem, curves, where);
                   });
}

std::vector<std::string_view> AllocationTypes() {
  std::vector<std::string_view> types;
  for (const TypeRow& row : kTypes) types.push_back(row.type);
  return types;
}

NetworkSparsity SumSparsity(const std::vector<Layer>& layers,
                            const std::vector<std::string>& skipped,
                            const std::vector<double>& sparsity) {
  double selected = 0;
  double all = 0;
  double pruned_selected = 0;
  double pruned = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto n = static_cast<double>(layers[i].parameters);
    all += n;
    pruned += n * sparsity[i];
    if (!skipped[i].empty()) continue;
    selected += n;
    pruned_selected += n * sparsity[i];
  }
  return {selected > 0 ? pruned_selected / selected : 0, all > 0 ? pruned / all : 0};
}

}  // namespace sparsify
