#include "sparsity/allocation/allocation_problem.h"

#include <algorithm>

#include "sparsity/base/error.h"
#include "sparsity/mask/selection.h"

namespace sparsify {

int64_t AllocationProblem::TotalWeights() const {
  int64_t total = 0;
  for (size_t i = 0; i < selected.size(); ++i) total += layer(i).parameters;
  return total;
}

int64_t AllocationProblem::MostPruned(size_t i) const {
  // ⌊cap·n⌋ = n − PruneCount(n, 1 − cap), with PruneCount's care for rounding.
  const int64_t n = layer(i).parameters;
  return n - PruneCount(n, 1 - options.max_layer_sparsity);
}

void CheckCapReaches(const AllocationProblem& problem) {
  int64_t most = 0;
  for (size_t i = 0; i < problem.selected.size(); ++i) most += problem.MostPruned(i);
  const int64_t total = problem.TotalWeights();
  const int64_t asked = PruneCount(total, problem.sparsity);
  // Rounding each layer down costs less than a weight a layer: that much is forgiven.
  if (asked <= most + static_cast<int64_t>(problem.selected.size())) return;
  Fail("allocation",
       "sparsity {:.4g} of {} weights is unreachable with max_layer_sparsity {}: at most {:.4g}; "
       "raise the cap or prune more layers",
       problem.sparsity, total, problem.options.max_layer_sparsity,
       static_cast<double>(most) / static_cast<double>(total));
}

void CheckWeightsFinite(const AllocationProblem& problem) {
  for (size_t i = 0; i < problem.selected.size(); ++i) {
    const Tensor& weight = problem.weight(i);
    const int64_t bad = FirstNonFinite(weight);
    if (bad < 0) continue;
    Fail(problem.layer(i).name,
         "weight of shape {} holds {} at flat index {}; repair the model first",
         weight.shape().ToString(), weight[bad], bad);
  }
}

}  // namespace sparsify
