// Carries out a prepared run, level after level, into its folder.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sparsity/cli/dense_result.h"
#include "sparsity/cli/level_record.h"
#include "sparsity/cli/phase_clock.h"
#include "sparsity/cli/prepare.h"
#include "sparsity/cli/rank_exchange.h"
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
  /// Polls for Ctrl-C. Of several ranks (`run.ranks`) all call this together: they train together,
  /// or each makes some of the levels, whose speed rank 0 measures when all are there and the
  /// others sleep; the tables come after that.
  void Run();

  /// Of every finished level, the dense network first; on rank 0.
  const std::vector<LevelRecord>& records() const { return records_; }

 private:
  bool Restore(double percent);
  void Finish(LevelRecord record, double percent, bool is_new);
  void RunDense();
  bool RestoreUnmeasured(double percent);
  std::vector<SpeedRow> Measure(double percent, const Graph& graph,
                                const std::vector<LayerSparsity>& layers, LevelRecord& record,
                                PhaseClock& clock);
  std::vector<LayerSparsity> DenseLayers() const;
  void SettleTargets();
  void RunLevel(size_t index);
  Checkpoint MakeAndEvaluate(size_t index, LevelRecord& record, PhaseClock& clock);
  Checkpoint MakeLevel(size_t index, LevelRecord& record, PhaseClock& clock);
  void DropTrainingStates(size_t index) const;
  void ShowTraining(double percent, const std::vector<TrainingRow>& rows) const;
  TrainingRowsSeen WatchTraining(double percent) const;
  std::vector<std::string> EvaluateDense();
  std::vector<std::string> EvaluateLevel(double percent, Checkpoint& checkpoint);
  std::optional<Checkpoint> PreviousStage(size_t index) const;

  // runner_ranks.cc
  bool Tell(bool done);
  void TellTargets();
  void TrainBeside();
  void RunShare();
  void BeginShare();
  bool IsOpen(double percent) const;
  void MakeUnmeasured(size_t index);
  void MeasureShare(double percent);

  PreparedRun& run_;
  const RunFiles& files_;
  const Sharing sharing_;
  const std::shared_ptr<const MaskGenerator> generator_;
  std::vector<LevelRecord> records_;
  DenseResult dense_;
  PhaseClock setup_;  // of the whole run, counted to the first level that is done
  std::vector<SensitivityCurve> curves_;  // empty: the allocation uses none
};

}  // namespace sparsify
