// The images of each training step: shuffled anew every pass, a random view of each, loaded while
// the step before is computed.
#pragma once

#include <cstdint>
#include <future>

#include "sparsity/data/augment.h"
#include "sparsity/data/dataset.h"
#include "sparsity/training/data_parallel.h"
#include "sparsity/training/epoch_order.h"

namespace sparsify {

class TrainingBatches {
 public:
  /// Begins at `position`: the number of images that were taken before. Keeps a reference. Which
  /// image is at a position, and which view of it, depends on seed and position alone. With
  /// Threads() == 1 batches are loaded when asked for. `rows` are those of each batch that are
  /// loaded here. Throws Error when the set is empty.
  TrainingBatches(const Dataset& data, int64_t batch, const Augmentation& augmentation,
                  uint64_t seed, int64_t position, BatchRows rows);
  /// All rows.
  TrainingBatches(const Dataset& data, int64_t batch, const Augmentation& augmentation,
                  uint64_t seed, int64_t position)
      : TrainingBatches(data, batch, augmentation, seed, position, {0, batch}) {}

  /// The rows of the next `batch` images, those that are left out (SampleSkipped) excepted; valid
  /// until the next call. Rethrows what loading threw.
  const Batch& Next();

  /// Images taken so far, those left out and those of other rows included.
  int64_t position() const { return position_; }

 private:
  void StartLoading();

  const Dataset& data_;
  const int64_t batch_size_;
  const BatchRows rows_;
  const Augmentation augmentation_;
  const uint64_t seed_;
  const bool asynchronous_;
  EpochOrder order_;
  int64_t position_;
  Batch current_;
  Batch next_;
  std::future<void> loading_;  // last: its destructor waits for the thread that fills next_
};

}  // namespace sparsify
