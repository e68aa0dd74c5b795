#include "sparsity/training/lr_schedule.h"

#include <cmath>
#include <numbers>

#include "sparsity/base/error.h"

namespace sparsify {

LrSchedule LrScheduleFromName(std::string_view where, std::string_view name) {
  if (name == "constant") return LrSchedule::kConstant;
  if (name == "cosine") return LrSchedule::kCosine;
  FailUsage(where, "unknown learning-rate schedule \"{}\"; known: constant, cosine", name);
}

double LrFactor(LrSchedule schedule, int64_t step, int64_t steps, int64_t warm_up) {
  if (step < 0 || step >= steps) {
    Fail("learning rate", "step {} asked for, the run has {} steps", step, steps);
  }
  if (step < warm_up) return static_cast<double>(step + 1) / static_cast<double>(warm_up + 1);
  if (schedule == LrSchedule::kConstant) return 1;
  const double done = static_cast<double>(step - warm_up) / static_cast<double>(steps - warm_up);
  return 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace sparsify
