// The curves of a level's training as event files, for TensorBoard.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sparsity/io/event_file.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

class TrainingEvents {
 public:
  /// Writes nothing yet. `folder` is the level's own.
  explicit TrainingEvents(std::string folder) : folder_(std::move(folder)) {}

  /// `rows`: those of the whole level so far, the last one new. The first call begins a file: where
  /// the folder has files of an earlier start this one goes on behind the rows that the state held,
  /// and what those files have of later steps counts no more.
  void Show(const std::vector<TrainingRow>& rows);

 private:
  std::string folder_;
  std::optional<EventFile> file_;
  size_t written_ = 0;
};

}  // namespace sparsify
