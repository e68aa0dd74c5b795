// Learning-rate schedules: how the step size changes over a run of known length.
#pragma once

#include <cstdint>
#include <string_view>

namespace sparsify {

enum class LrSchedule {
  kConstant,
  kCosine,  // half a cosine from 1 towards 0 (Loshchilov & Hutter, SGDR, ICLR 2017, no restart)
};

/// The schedule called "constant" or "cosine"; a usage Error that begins with `where` when there
/// is none of that name.
LrSchedule LrScheduleFromName(std::string_view where, std::string_view name);

/// The factor on the base step size at `step` of `steps` (0 ≤ step < steps), in (0, 1]. During the
/// first `warm_up` steps it rises linearly to 1; the schedule proper covers the others.
double LrFactor(LrSchedule schedule, int64_t step, int64_t steps, int64_t warm_up = 0);

}  // namespace sparsify
