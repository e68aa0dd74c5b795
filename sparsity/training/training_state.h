// Everything that a training run needs to go on where it stopped, and its file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sparsity/mask/mask.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// A row of training.csv: means since the row before.
struct TrainingRow {
  int64_t step = 0;  // steps made
  double epoch = 0;  // passes over the set, those of earlier stages included
  double loss = 0;
  double top1 = 0;  // percent, of the images that were learned from
  double learning_rate = 0;
  double sparsity = 0;  // percent, of the weights that are pruned
  double images_per_second = 0;
};

/// Sums over the steps since the last row.
struct TrainingSums {
  double loss = 0;
  int64_t steps = 0;
  int64_t images = 0;
  int64_t correct = 0;
  double seconds = 0;
};

struct TrainingState {
  std::string origin;                        // of what it began with, to be compared; may be empty
  int64_t step = 0;                          // steps made of this stage
  int64_t position = 0;                      // images taken, those of earlier stages included
  std::map<std::string, Tensor> parameters;  // by value name; of a pruned weight the latent one
  std::map<std::string, Mask> masks;
  std::map<std::string, Tensor> optimizer;  // Optimizer::State
  std::map<std::string, Tensor> rule;       // PruningRule::State
  std::vector<TrainingRow> rows;
  TrainingSums since_row;
};

/// Atomically: an earlier file stays whole until the new one is.
void SaveTrainingState(const TrainingState& state, const std::string& path);
/// Throws Error naming file and object when the file is damaged or something else. Whether the
/// state is of this network is for Train to say.
TrainingState LoadTrainingState(const std::string& path);

}  // namespace sparsify
