// The times of a run's layers: from a file, from its folder, or measured.
#pragma once

#include "sparsity/allocation/layer_times.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/executor/profile.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// What the run's times belong to: the benchmark's first batch and threads, on this machine.
TimingSetting TimingSettingOf(const PreparedRun& run);

/// Plans of that setting, as the benchmark makes them.
PlanOptions TimedPlanOptions(const PreparedRun& run);

/// Times of the layers that may be pruned: of times_file; else those in the folder's
/// layer_times.csv, if they fit (otherwise measured anew, and why is said), and the levels that are
/// missing there measured and added one by one. A level is a plan of the whole network with every
/// layer pruned alike by `generator`, timed beside the dense plan; levels at which the generator
/// prunes nothing more are left out, which is said. Polls for Ctrl-C. Throws a usage Error when
/// times_file is not this network's or of another batch or number of threads; another processor is
/// warned about.
LayerTimes RunTimes(const PreparedRun& run, const RunFiles& files, const MaskGenerator& generator);

/// Each step's time under the layer it counts with: itself, the layer of the list before it, or,
/// where it only changes a layout, the next step's. `layers` have all but `ms` and `kernel`.
/// Milliseconds are multiplied by `scale`.
NetworkTimes AttributeTimes(const PlanProfile& profile, double level, std::vector<LayerTime> layers,
                            double scale);

}  // namespace sparsify
