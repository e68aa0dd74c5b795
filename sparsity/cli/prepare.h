// Everything a run needs, loaded and checked before anything is written or computed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "schedulers/scheduler.h"
#include "sparsity/allocation/allocation.h"
#include "sparsity/base/communicator.h"
#include "sparsity/cli/run_config.h"
#include "sparsity/data/dataset.h"
#include "sparsity/graph/layers.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {

struct PreparedRun {
  RunConfig config;
  Checkpoint model;  // as loaded, dense; for least-squares repair with batch norm folded
  std::string network;
  std::vector<Layer> layers;
  std::vector<std::string> skipped;  // by layer: why it stays dense, or empty
  std::vector<double> levels;    // percent; until SettleTimedTargets the `goals` where there are
  std::vector<double> goals;     // by level, with a budget of time: speed-ups or ms; else empty
  AllocationOptions allocation;  // in force: the scheduler's own, if it has one
  /// By level and layer; empty while SettlesLater, and of every level where LearnsSparsities: the
  /// runner fills them in.
  std::vector<std::vector<LayerTarget>> targets;
  std::unique_ptr<Dataset> evaluation;   // null: accuracy is not measured
  std::unique_ptr<Dataset> calibration;  // null: no repair
  std::unique_ptr<Dataset> measuring;    // for the allocation where there is no repair, else null
  std::unique_ptr<Dataset> training;     // null: nothing is trained
  std::unique_ptr<const Scheduler> scheduler;
  std::vector<int64_t> steps;  // of training, by level; empty without training
  int64_t classes = 0;
  Communicator* ranks = nullptr;  // that share the run's work; null: this process is alone

  /// Whether this rank writes the run's files.
  bool IsFirst() const { return ranks == nullptr || ranks->IsFirst(); }
  /// Whether the allocation needs sensitivity curves that have to be measured.
  bool MeasuresCurves() const {
    return allocation.type == "Sensitivity" && allocation.curves_file.empty() &&
           allocation.loss != "energy";
  }
  /// Whether the sweep's numbers are times.
  bool HasTimeBudget() const {
    return allocation.type == "Sensitivity" && allocation.HasTimeBudget();
  }
  /// Whether the layers' sparsities wait for curves or times.
  bool SettlesLater() const {
    return HasTimeBudget() || (allocation.type == "Sensitivity" && allocation.curves_file.empty());
  }
  /// Whether the layers' sparsities are learned, level by level.
  bool LearnsSparsities() const { return allocation.type == "FCPTS"; }
  /// Whether a dense network is trained first, from random weights.
  bool TrainsDense() const { return training && config.training->from_scratch; }
  /// Files that the allocation leaves in the run's folder, each followed by a comma.
  std::string AllocationFiles() const;
};

/// Loads the model and opens the data; settles which layers are pruned and by how much.
/// Throws Error for whatever does not fit.
PreparedRun PrepareRun(const RunConfig& config, const OptionsDocument& document);

/// Every layer's sparsity at every level that is known from the dense weights; what is learned or
/// measured first stays empty.
void AllocateLevels(PreparedRun& run);

/// Level pruning's analysis (level_analysis.h) in the scheduler's output_dir, or in `folder` where
/// that is empty, and its targets; other schedulers have none and nothing happens. `write` false: a
/// dry run.
void AnalyseNetwork(PreparedRun& run, const std::string& folder, bool write);

/// Upper bound of the bytes of the checkpoints of these levels, percent.
int64_t EstimateCheckpointBytes(const PreparedRun& run, const std::vector<double>& levels);

/// Throws Error when the checkpoints of these levels will not fit on the disk.
void CheckDiskSpace(const PreparedRun& run, const std::vector<double>& levels);

}  // namespace sparsify
