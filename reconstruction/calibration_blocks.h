// The calibration images of a repair by steps: which, in which order and in which blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "reconstruction/activation_store.h"
#include "sparsity/data/dataset.h"

namespace sparsify {

struct CalibrationSettings {
  int64_t batch = 64;       // images a block
  int64_t batches = 16;     // at most batch × batches images are used
  double held_back = 0;     // share of them that is not trained on
  bool whole_only = false;  // the network has a fixed batch: no block may be shorter
  uint64_t seed = 0;        // draws the images and their order
  std::string title;        // of notes; empty: silent
  std::string scratch_directory;
};

/// Draws and loads the images; fills `blocks`, which must outlive the store. Fewer images than
/// asked for, a share that cannot be held back and broken images, in whose place others are
/// taken, are said. Polls for Ctrl-C. Throws Error when not even one block can be filled.
std::shared_ptr<ActivationStore> LoadCalibration(const Dataset& calibration,
                                                 const CalibrationSettings& settings,
                                                 MemoryBudget& budget, ImageBlocks& blocks);

}  // namespace sparsify
