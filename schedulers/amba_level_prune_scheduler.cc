#include "schedulers/amba_level_prune_scheduler.h"

#include <algorithm>

#include "schedulers/masked_rule.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

void CheckTable(const std::vector<double>& table) {
  constexpr std::string_view kWhere = "scheduler.kwargs.sparsity_table";
  if (table.empty()) FailUsage(kWhere, "is empty; give one level a stage, in percent");
  for (size_t i = 0; i < table.size(); ++i) {
    if (!(table[i] >= 0 && table[i] <= 100)) {
      FailUsage(kWhere, "{} is outside 0 … 100 percent", table[i]);
    }
    if (i > 0 && table[i] <= table[i - 1]) {
      FailUsage(kWhere, "must increase, but {} follows {}", table[i], table[i - 1]);
    }
  }
  if (table.back() > 0 && table.back() <= 1) {
    FailUsage(kWhere, "no level is above {}: these are fractions, the table is in percent",
              table.back());
  }
}

}  // namespace

AmbaLevelPruneScheduler::AmbaLevelPruneScheduler(const AmbaLevelPruneOptions& options)
    : options_(options) {
  CheckTable(options_.sparsity_table);
  if (options_.default_input_shape.size() != 4) {
    FailUsage("scheduler.kwargs.default_input_shape", "has {} numbers; give [N, C, H, W]",
              options_.default_input_shape.size());
  }
}

std::vector<Stage> AmbaLevelPruneScheduler::Stages(int64_t total_iterations,
                                                   const std::vector<double>& /*levels*/) const {
  const int64_t total = TotalIterations(total_iterations);
  const auto count = static_cast<int64_t>(options_.sparsity_table.size());
  if (total < count) {
    FailUsage("scheduler.kwargs.total_iters", "{} iterations are too few for {} stages", total,
              count);
  }
  std::vector<Stage> stages;
  for (int64_t k = 0; k < count; ++k) {
    // ⌊k·total/K⌋ without overflow: total = q·K + r.
    const int64_t first = k * (total / count) + k * (total % count) / count;
    stages.push_back({options_.sparsity_table[static_cast<size_t>(k)] / 100, first});
  }
  return stages;
}

std::unique_ptr<PruningRule> AmbaLevelPruneScheduler::MakeRule(const RuleContext& context) const {
  return std::make_unique<MaskedRule>(type(), context);
}

AllocationOptions AllocationOf(const AmbaLevelPruneOptions& options) {
  AllocationOptions allocation;
  allocation.type = options.prun_algo == 0 ? "Uniform" : "level";
  allocation.tuning = options.prun_algo_tuning;
  allocation.tolerance = options.sparse_rate_tolerance;
  return allocation;
}

}  // namespace sparsify
