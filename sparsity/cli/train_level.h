// One level of a run by training: the network is trained while the scheduler prunes it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/cli/phase_clock.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/mask/mask_generator.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

using TrainingRowsSeen = std::function<void(const std::vector<TrainingRow>& rows)>;

struct TrainedLevel {
  Checkpoint checkpoint;
  std::vector<TrainingRow> rows;
};

/// Trains from the dense network, from the state that the stage before has left (a scheduler whose
/// stages continue), or from where an earlier run of this level stopped. Pruned weights are +0;
/// masks and achieved sparsities are in the checkpoint. The state file of the level is left behind.
/// Of several ranks all call this together and get the same; rank 0 writes.
TrainedLevel TrainLevel(const PreparedRun& run, size_t level, const RunFiles& files,
                        const std::shared_ptr<const MaskGenerator>& generator,
                        const TrainingRowsSeen& seen, PhaseClock& clock);

/// Trains `run.model` from random weights, without pruning; returns the rows of training.csv.
std::vector<TrainingRow> TrainDense(PreparedRun& run, const RunFiles& files,
                                    const TrainingRowsSeen& seen, PhaseClock& clock);

/// Rows of training.csv, cells in sequence.
std::vector<std::string> TrainingCells(double percent, const std::vector<TrainingRow>& rows);

}  // namespace sparsify
