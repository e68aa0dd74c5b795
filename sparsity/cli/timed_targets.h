// The levels of a run with a budget of time: how sparse each layer becomes for each speed-up or
// latency that the sweep asks for.
#pragma once

#include <vector>

#include "sparsity/allocation/sensitivity.h"
#include "sparsity/allocation/time_target.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/executor/measure.h"
#include "sparsity/mask/mask_generator.h"
#include "sparsity/report/csv.h"

namespace sparsify {

/// The goal at `value` in the unit of the run's budget.
TimeTarget TimeTargetOf(const PreparedRun& run, double value);

/// Meets every goal of `run` (MeetTarget on `curves` and RunTimes, the network masked by
/// `generator` and timed as the benchmark does) and puts the network's sparsities, percent with two
/// digits, into `run.levels`, the layers' into `run.targets`. What a goal has come to is kept in
/// the folder, a row of targets.csv and a file target_sparsity_GOAL.csv (a table for `allocation:
/// {type: table}` too), and taken from there by a resumed run. A goal that comes to the sparsity of
/// one before is left out of the levels, with a warning. Polls for Ctrl-C. Throws Error where a
/// goal cannot be reached, or where the folder's files are damaged.
void SettleTimedTargets(const std::vector<SensitivityCurve>& curves, const RunFiles& files,
                        const MaskGenerator& generator, PreparedRun& run);

/// targets.csv, or an empty table when there is none.
CsvTable ReadTargets(const RunFiles& files);

/// run.levels with those goals replaced that the folder has settled: to count finished levels.
std::vector<double> SettledLevels(const PreparedRun& run, const RunFiles& files);

/// Says what a level's goal has come to in its benchmark, after repair (least times again). That it
/// takes too long is a warning, unless other programs disturbed the benchmark.
void NoteGoal(const PreparedRun& run, size_t level, const std::vector<SpeedRow>& rows);

}  // namespace sparsify
