// The sparsity of every layer that costs the network's output least under a budget.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sparsity/allocation/sensitivity.h"

namespace sparsify {

enum class BudgetKind {
  kSparsity,  // share of the measured layers' weights that goes
  kSize,      // share of the network's bytes that goes; a pruned layer takes 4 bytes a kept weight
              // and one bit a weight
  kMacs,      // share of the network's multiply-adds that goes
};

struct Budget {
  BudgetKind kind = BudgetKind::kSparsity;
  double reduction = 0;  // fraction that goes, at least
  /// What the network has besides the measured layers, and keeps: parameters for kSize,
  /// multiply-adds for kMacs, not used for kSparsity.
  int64_t rest = 0;
};

/// "sparsity", "size", "macs"; the last of an unknown name is a usage Error.
BudgetKind BudgetKindOf(std::string_view name);

struct BudgetSolution {
  std::vector<double> sparsity;  // fraction of each curve's layer
  double loss = 0;               // Σ of the curves there
  double reduction = 0;          // reached, as `Budget::reduction`
};

/// Minimises Σ lossᵢ(sᵢ) under Σ costᵢ·sᵢ = budget, 0 ≤ sᵢ ≤ max_layer_sparsity.
///
/// Losses are as in loss_curve.h. Layers with a single point take it or nothing.
///
/// The Lagrangian solution (the lower convex hulls' segments, cheapest a unit of cost first,
/// the last in part) is improved by exchanges between two layers until none helps: exact for
/// convex curves. The budget is met exactly unless single points leave no choice; then it
/// is exceeded by as little as the exchanges find. Throws Error when it is out of reach,
/// naming what can be reached.
BudgetSolution AllocateByBudget(const std::vector<SensitivityCurve>& curves, const Budget& budget,
                                double max_layer_sparsity);

}  // namespace sparsify
