#include "schedulers/base_scheduler.h"

namespace sparsify {

std::vector<Stage> BaseScheduler::Stages(int64_t /*total_iterations*/,
                                         const std::vector<double>& levels) const {
  std::vector<Stage> stages;
  for (const double level : levels) stages.push_back({level, 0});
  return stages;
}

}  // namespace sparsify
