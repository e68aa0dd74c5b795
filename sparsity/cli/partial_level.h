// The state of a level whose repair is not finished, on disk, for a run that is interrupted.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "reconstruction/repair.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {

/// How far the repair is.
struct PartialState {
  int64_t finished = 0;             // units
  std::vector<RepairedUnit> units;  // what happened to them
};

class PartialLevel {
 public:
  /// Nothing is read or written yet.
  explicit PartialLevel(std::string path) : path_(std::move(path)) {}

  /// Puts an earlier run's state into `checkpoint` (graph and masks) and returns how far it came;
  /// nowhere, with `checkpoint` left alone, when there is none or it is damaged, which is said.
  PartialState Restore(Checkpoint& checkpoint) const;

  /// Writes the state, unless the last write was so recent that writing would take more than a
  /// twentieth of the time. `force` writes in any case. A write that fails is said once and does
  /// not stop the repair.
  void Save(const Checkpoint& checkpoint, const PartialState& partial, bool force = false);

  /// When the level is finished.
  void Remove() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string path_;
  Clock::time_point last_ = Clock::now();
  double cost_ = 0.1;  // seconds of the last write
  bool failed_ = false;
};

}  // namespace sparsify
