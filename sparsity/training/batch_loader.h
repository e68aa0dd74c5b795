// Batches of a dataset in order, each loaded while the one before is being used.
#pragma once

#include <cstdint>
#include <future>

#include "sparsity/data/dataset.h"

namespace sparsify {

class BatchLoader {
 public:
  /// Keeps a reference to `dataset`. With Threads() == 1 batches are loaded when asked for,
  /// so that a run on one thread stays on one.
  BatchLoader(const Dataset& dataset, int64_t batch_size);

  /// The next batch, or null after the last; valid until the next call. Rethrows what
  /// loading threw.
  const Batch* Next();

  /// Samples the batches so far cover, skipped ones included.
  int64_t position() const { return position_; }

 private:
  void StartLoading();

  const Dataset& dataset_;
  const int64_t batch_size_;
  const int threads_;
  int64_t position_ = 0;
  Batch current_;
  Batch next_;
  std::future<void> loading_;  // last: its destructor waits for the thread that fills next_
};

}  // namespace sparsify
