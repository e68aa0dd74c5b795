// The state of a level whose repair is not finished, on disk, for a run that is interrupted.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconstruction/repair.h"
#include "sparsity/io/checkpoint.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

/// How far the repair is.
struct PartialState {
  int64_t finished = 0;             // units
  std::vector<RepairedUnit> units;  // what happened to them
  bool repaired = false;            // all of them, and only the polish is missing
};

/// When to write a state that is made again and again: not so often that writing takes more than a
/// twentieth of the time.
class SaveClock {
 public:
  /// `force` writes in any case. A write that fails is said once, with `loss`, what cannot be
  /// resumed then, and none is tried again.
  void Save(bool force, std::string_view loss, const std::function<void()>& write);

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
  double cost_ = 0.1;  // seconds of the last write
  bool failed_ = false;
};

class PartialLevel {
 public:
  /// `path` ends with ".h5". Nothing is read or written yet.
  explicit PartialLevel(std::string path);

  /// Puts an earlier run's state into `checkpoint` (graph and masks) and returns how far it came;
  /// nowhere, with `checkpoint` left alone, when there is none or it is damaged, which is said.
  PartialState Restore(Checkpoint& checkpoint) const;

  /// Writes the state when the clock says so. A write that fails does not stop the repair.
  void Save(const Checkpoint& checkpoint, const PartialState& partial, bool force = false);

  /// The same of the polish that comes after the repair: its state beside that of the level.
  std::optional<TrainingState> RestorePolish() const;
  void SavePolish(const std::function<TrainingState()>& state, bool force = false);
  void RemovePolish() const;

  /// When the level is finished.
  void Remove() const;

 private:
  std::string path_;
  std::string polish_path_;
  SaveClock clock_;
  SaveClock polish_clock_;
};

}  // namespace sparsify
