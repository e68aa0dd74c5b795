#include "schedulers/base_scheduler.h"

#include "schedulers/masked_rule.h"

namespace sparsify {

std::vector<Stage> BaseScheduler::Stages(int64_t /*total_iterations*/,
                                         const std::vector<double>& levels) const {
  std::vector<Stage> stages;
  for (const double level : levels) stages.push_back({level, 0});
  return stages;
}

std::unique_ptr<PruningRule> BaseScheduler::MakeRule(const RuleContext& context) const {
  return std::make_unique<MaskedRule>(type(), context);
}

}  // namespace sparsify
