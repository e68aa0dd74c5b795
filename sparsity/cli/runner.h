// Carries out a prepared run, level after level, into its folder.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sparsity/cli/dense_result.h"
#include "sparsity/cli/level_record.h"
#include "sparsity/cli/phase_clock.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/cli/train_level.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

class Runner {
 public:
  /// Both are kept by reference. The folder must be open (OpenRunFolder).
  Runner(PreparedRun& run, const RunFiles& files);

  /// Dense network (trained first if it is to be), then what the allocation has to measure
  /// (`run.targets` is filled in), then every level that has no record yet, then the report. The
  /// tables on disk hold every finished level (sensitivity.csv: every finished layer) at all times.
  /// Polls for Ctrl-C.
  void Run();

  /// Of every finished level, the dense network first.
  const std::vector<LevelRecord>& records() const { return records_; }

 private:
  bool Restore(double percent);
  void Finish(LevelRecord record, double percent, bool is_new);
  void RunDense();
  void SettleTargets();
  void RunLevel(size_t index);
  Checkpoint MakeLevel(size_t index, LevelRecord& record, PhaseClock& clock);
  void DropTrainingStates(size_t index) const;
  void ShowTraining(double percent, const std::vector<TrainingRow>& rows) const;
  TrainingRowsSeen WatchTraining(double percent) const;
  std::vector<std::string> EvaluateDense();
  std::vector<std::string> EvaluateLevel(double percent, Checkpoint& checkpoint);
  std::optional<Checkpoint> PreviousStage(size_t index) const;

  PreparedRun& run_;
  const RunFiles& files_;
  const std::shared_ptr<const MaskGenerator> generator_;
  std::vector<LevelRecord> records_;
  DenseResult dense_;
  PhaseClock setup_;  // of the whole run, counted to the first level that is done
  std::vector<SensitivityCurve> curves_;  // empty: the allocation uses none
};

}  // namespace sparsify
