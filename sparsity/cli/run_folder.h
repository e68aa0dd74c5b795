// The output folder of a run: its files, and what an earlier run left in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/base/directory_lock.h"
#include "sparsity/cli/run_config.h"
#include "sparsity/cli/run_identity.h"

namespace sparsify {

/// Names of everything a run writes.
class RunFiles {
 public:
  explicit RunFiles(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  std::string Resolved() const { return folder_ + "/resolved.yaml"; }
  std::string Accuracy() const { return folder_ + "/accuracy.csv"; }
  std::string Speedup() const { return folder_ + "/speedup.csv"; }
  std::string Layers() const { return folder_ + "/layers.csv"; }
  std::string Repair() const { return folder_ + "/repair.csv"; }
  std::string Times() const { return folder_ + "/times.csv"; }
  std::string Sensitivity() const { return folder_ + "/sensitivity.csv"; }
  std::string LayerTimes() const { return folder_ + "/layer_times.csv"; }
  /// What a budget of time has come to, a row a target.
  std::string Targets() const { return folder_ + "/targets.csv"; }
  /// The layers' sparsities that meet a target.
  std::string TargetSparsity(double target) const;
  /// What the layers of a level have learned.
  std::string LearnedSparsity(double percent) const;
  std::string Report() const { return folder_ + "/report.html"; }
  std::string Predictions() const { return folder_ + "/records/dense_predictions.csv"; }
  std::string Checkpoint(double percent) const;
  std::string Training() const { return folder_ + "/training.csv"; }
  /// Folder of all event files, and of a level's; 0 is the dense network's.
  std::string Events() const { return folder_ + "/events"; }
  std::string Events(double percent) const;
  /// Folder of level pruning's analysis.
  std::string Analysis() const { return folder_ + "/analysis"; }
  std::string Permutation() const { return folder_ + "/permutation.csv"; }
  /// The state of a level's training; 0 is the dense network's.
  std::string TrainingState(double percent) const;
  /// An unfinished repair of a level.
  std::string Partial(double percent) const;
  /// The record of a level whose speed is not measured yet.
  std::string Unmeasured(double percent) const;
  /// The record of a finished level; 0 is the dense network.
  std::string Record(double percent) const;

 private:
  std::string folder_;
};

/// "30", "62.5".
std::string FormatPercent(double percent);

/// Prepares the folder:
///   new or empty                 created
///   an earlier run's, --resume   kept, when the identity agrees
///   an earlier run's, finished   its records are removed and its files will be replaced,
///                                when the identity agrees
///   anything else                a usage Error that says what to do
/// Writes resolved.yaml and the identity, and removes what a killed run has left half written.
/// The folder is this process's until the lock goes; one that another works in is refused.
[[nodiscard]] std::unique_ptr<DirectoryLock> OpenRunFolder(const RunFiles& files,
                                                           const RunConfig& config,
                                                           const RunIdentity& identity,
                                                           const std::vector<double>& levels,
                                                           bool resume);

/// Those of `levels` that are not done yet; without `resume` all are done anew.
std::vector<double> LevelsToMake(const RunFiles& files, std::vector<double> levels, bool resume);

/// The checks of OpenRunFolder without changing anything; says what would happen: "new".
std::string CheckRunFolder(const RunFiles& files, const RunIdentity& identity,
                           const std::vector<double>& levels, bool resume);

}  // namespace sparsify
