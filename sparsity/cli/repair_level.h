// The repair of one level: the configured method, then the polish, resumable within the level.
#pragma once

#include <string>
#include <vector>

#include "reconstruction/repair.h"
#include "sparsity/cli/partial_level.h"
#include "sparsity/cli/phase_clock.h"
#include "sparsity/cli/prepare.h"

namespace sparsify {

/// Repairs `student.graph` towards `teacher`; its masks are baked in, and replaced where the method
/// chooses them. Work goes on behind `state` (PartialLevel), and its
/// state is kept at `partial_path`. Returns one row a unit, earlier ones included, and adds its
/// time to `clock`.
std::vector<RepairedUnit> RepairLevel(const PreparedRun& run, size_t level, const Graph& teacher,
                                      Checkpoint& student, PartialState state,
                                      const std::string& partial_path, PhaseClock& clock);

/// "repaired by obs on 1000 images of calibration, polished".
std::string DescribeRepair(const PreparedRun& run);

}  // namespace sparsify
