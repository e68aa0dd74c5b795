#include "sparsity/cli/runner.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/file.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/learned_targets.h"
#include "sparsity/cli/measure_level.h"
#include "sparsity/cli/partial_level.h"
#include "sparsity/cli/permute_network.h"
#include "sparsity/cli/prune_level.h"
#include "sparsity/cli/run_curves.h"
#include "sparsity/cli/run_report.h"
#include "sparsity/cli/timed_targets.h"
#include "sparsity/cli/train_level.h"
#include "sparsity/cli/training_events.h"
#include "sparsity/io/checkpoint.h"

namespace sparsify {
namespace {

std::string LevelName(double percent) {
  return percent == 0 ? "dense" : FormatPercent(percent) + " %";
}

void NoteAccuracy(double percent, const Evaluation& result) {
  Note("{}: top-1 {:.2f} %, top-5 {:.2f} %, agreement {:.2f} %, {} images in {}",
       LevelName(percent), result.top1, result.top5, result.agreement, result.images,
       FormatSeconds(result.seconds));
}

void NoteSpeed(double percent, const std::vector<SpeedRow>& rows) {
  for (const SpeedRow& row : rows) {
    std::string direct;
    if (row.direct.median_ms > row.dense.median_ms) {
      direct = fmt::format(" ({:.2f} over dense without Winograd's algorithm, {:.3f} ms)",
                           row.speedup_direct, row.direct.median_ms);
    }
    std::string streams;
    if (row.streams > 1) {
      streams = fmt::format(", streams {}: {:.1f} images/s, dense {:.1f}", row.streams,
                            row.ImagesPerSecond(), row.DenseImagesPerSecond());
    }
    Note("{}: batch {}, threads {}{}: {:.3f} ms, dense {:.3f} ms, speed-up {:.2f}{}",
         LevelName(percent), row.batch, row.threads, streams, row.sparse.median_ms,
         row.dense.median_ms, row.speedup, direct);
  }
}

void NoteTargets(double percent, const std::vector<LayerTarget>& targets) {
  double low = 1;
  double high = 0;
  for (const LayerTarget& target : targets) {
    if (!target.skipped.empty()) continue;
    low = std::min(low, target.sparsity);
    high = std::max(high, target.sparsity);
  }
  Note("{}: layers give {:.1f} … {:.1f} % of their weights", LevelName(percent), 100 * low,
       100 * high);
}

/// What a budget of bytes or multiply-adds has come to.
void NoteBudget(const PreparedRun& run, const Checkpoint& checkpoint, double percent) {
  double macs = 0;
  double macs_gone = 0;
  double bytes = 4 * static_cast<double>(CountParameters(run.model.graph));
  const double dense_bytes = bytes;
  for (size_t i = 0; i < run.layers.size(); ++i) {
    const double gone = checkpoint.layers[i].achieved;
    macs += static_cast<double>(run.layers[i].macs);
    macs_gone += gone * static_cast<double>(run.layers[i].macs);
    if (!run.skipped[i].empty()) continue;
    bytes -= (4 * gone - 1.0 / 8) * static_cast<double>(run.layers[i].parameters);
  }
  if (run.HasTimeBudget()) {
    return Note("{}: {:.1f} % of the multiply-adds and {:.1f} % of the bytes are gone",
                LevelName(percent), macs > 0 ? 100 * macs_gone / macs : 0,
                100 * (1 - bytes / dense_bytes));
  }
  Note("{} of the {} budget: {:.1f} % of the multiply-adds and {:.1f} % of the bytes are gone",
       LevelName(percent), run.allocation.budget, macs > 0 ? 100 * macs_gone / macs : 0,
       100 * (1 - bytes / dense_bytes));
}

/// Level pruning's checkpoint in the folder that its published key names.
void SaveCopy(const PreparedRun& run, const Checkpoint& checkpoint, double percent) {
  const SchedulerOptions& scheduler = run.config.sparsity.scheduler;
  const std::string& folder = scheduler.amba_level_prune.save_dir;
  if (scheduler.type != "AmbaLevelPruneScheduler" || folder.empty()) return;
  MakeDirectories(folder);
  SaveCheckpoint(checkpoint,
                 fmt::format("{}/global_sparse_rate_{}.h5", folder, FormatPercent(percent)));
}

/// The scheduler's own generator, or the configuration's.
std::shared_ptr<const MaskGenerator> GeneratorOf(const PreparedRun& run) {
  if (auto own = run.scheduler->OwnGenerator()) return own;
  return MakeMaskGenerator(run.config.sparsity.mask_generator);
}

/// What some layers of the network have given up before this run, a fraction.
double ZeroShare(const PreparedRun& run, const std::vector<size_t>& layers) {
  int64_t zeros = 0;
  int64_t weights = 0;
  for (const size_t i : layers) {
    const Tensor& weight = run.model.graph.value(run.layers[i].weight).data;
    zeros += CountZeros(weight);
    weights += weight.size();
  }
  return weights == 0 ? 0 : static_cast<double>(zeros) / static_cast<double>(weights);
}

}  // namespace

Runner::Runner(PreparedRun& run, const RunFiles& files)
    : run_(run), files_(files), sharing_(SharingOf(run)), generator_(GeneratorOf(run)) {}

void Runner::Run() {
  if (sharing_ == Sharing::kLevels) return RunShare();
  if (!run_.IsFirst()) return TrainBeside();
  RunDense();
  Tell(true);
  setup_.Time("permutation", [&] { PermuteNetwork(run_, files_); });
  SettleTargets();
  TellTargets();
  for (size_t i = 0; i < run_.levels.size(); ++i) {
    ThrowIfInterrupted();
    RunLevel(i);
  }
  WriteHtml(MakeRunReport(run_.network, records_, ResolvedConfig(run_.config), curves_,
                          run_.HasTimeBudget() ? ReadTargets(files_) : CsvTable{}),
            files_.Report());
}

/// Every layer's sparsity at every level, once the curves are there.
void Runner::SettleTargets() {
  AnalyseNetwork(run_, files_.Analysis(), true);
  curves_ = setup_.Time("sensitivity", [&] { return RunCurves(run_, files_, *generator_); });
  if (!run_.SettlesLater()) return;
  if (run_.HasTimeBudget()) {
    return setup_.Time("targets", [&] { SettleTimedTargets(curves_, files_, *generator_, run_); });
  }
  run_.targets.clear();
  for (const double level : run_.levels) {
    run_.targets.push_back(Allocate(run_.model.graph, run_.layers, run_.skipped, level / 100,
                                    run_.allocation, curves_, files_.Sensitivity()));
    NoteTargets(level, run_.targets.back());
  }
}

/// Takes over the record of a level that an earlier run has finished.
bool Runner::Restore(double percent) {
  auto record = ReadRecord(files_.Record(percent), files_.Checkpoint(percent));
  if (!record) return false;
  Note("{}: done before", LevelName(percent));
  Finish(std::move(*record), percent, false);
  return true;
}

void Runner::Finish(LevelRecord record, double percent, bool is_new) {
  record.sparsity = percent;
  if (is_new) WriteRecord(record, files_.Record(percent));
  records_.push_back(std::move(record));
  if (run_.evaluation) WriteCsv(AccuracyTable(records_), files_.Accuracy());
  if (run_.config.benchmark) WriteCsv(SpeedupTable(records_), files_.Speedup());
  WriteCsv(LayerTable(records_), files_.Layers());
  if (run_.calibration) WriteCsv(RepairTable(records_), files_.Repair());
  if (run_.training) WriteCsv(TrainingTable(records_), files_.Training());
  WriteCsv(TimesTable(records_), files_.Times());
}

/// The table of what is done and of what is being trained.
void Runner::ShowTraining(double percent, const std::vector<TrainingRow>& rows) const {
  std::vector<LevelRecord> records = records_;
  records.emplace_back().training = TrainingCells(percent, rows);
  WriteCsv(TrainingTable(records), files_.Training());
}

/// Shows the rows of a level as they come.
TrainingRowsSeen Runner::WatchTraining(double percent) const {
  std::shared_ptr<TrainingEvents> events;
  if (run_.config.training->tensorboard) {
    events = std::make_shared<TrainingEvents>(files_.Events(percent));
  }
  return [this, percent, events](const std::vector<TrainingRow>& rows) {
    ShowTraining(percent, rows);
    if (events) events->Show(rows);
  };
}

/// Finishes a level of which an earlier run of several ranks has left all but the measurement.
bool Runner::RestoreUnmeasured(double percent) {
  auto record = ReadRecord(files_.Unmeasured(percent), files_.Checkpoint(percent));
  if (!record) return false;
  if (sharing_ == Sharing::kAlone) Note("{}: made before, to be measured", LevelName(percent));
  PhaseClock clock;
  if (percent == 0) {
    Measure(0, run_.model.graph, DenseLayers(), *record, clock);
  } else {
    const Checkpoint checkpoint = LoadCheckpoint(files_.Checkpoint(percent));
    Measure(percent, checkpoint.graph, checkpoint.layers, *record, clock);
  }
  const std::vector<std::string> times = TimesCells(percent, clock);
  record->times.insert(record->times.end(), times.begin(), times.end());
  Finish(std::move(*record), percent, true);
  RemoveFile(files_.Unmeasured(percent));
  return true;
}

/// Speed, and the tables' rows that say it.
std::vector<SpeedRow> Runner::Measure(double percent, const Graph& graph,
                                      const std::vector<LayerSparsity>& layers, LevelRecord& record,
                                      PhaseClock& clock) {
  auto speed = clock.Time("benchmark", [&] { return MeasureNetwork(run_, graph, percent); });
  NoteSpeed(percent, speed);
  record.speedup = SpeedupCells(run_, speed);
  record.layers = LayerCells(run_, percent, layers, speed);
  return speed;
}

std::vector<LayerSparsity> Runner::DenseLayers() const {
  std::vector<LayerSparsity> layers;
  for (size_t i = 0; i < run_.layers.size(); ++i) {
    layers.push_back({run_.layers[i].name, 0, ZeroShare(run_, {i}), run_.skipped[i]});
  }
  return layers;
}

void Runner::RunDense() {
  if (Tell(Restore(0) || RestoreUnmeasured(0))) {
    if (run_.TrainsDense()) {
      run_.model = LoadCheckpoint(files_.Checkpoint(0));
      AllocateLevels(run_);
    }
    if (run_.evaluation) {
      dense_ = ReadDenseResult(files_.Predictions(), AccuracyTable(records_), *run_.evaluation);
    }
    return;
  }
  LevelRecord record;
  PhaseClock clock;
  if (run_.TrainsDense()) {
    record.training = TrainingCells(0, TrainDense(run_, files_, WatchTraining(0), clock));
    AllocateLevels(run_);
  }
  if (run_.evaluation) record.accuracy = clock.Time("evaluate", [&] { return EvaluateDense(); });
  Measure(0, run_.model.graph, DenseLayers(), record, clock);
  record.times = TimesCells(0, clock);
  if (run_.TrainsDense()) {
    SaveCheckpoint(run_.model, files_.Checkpoint(0));
    record.checkpoint_bytes = FileSize(files_.Checkpoint(0));
  }
  Finish(std::move(record), 0, true);
  if (run_.TrainsDense()) RemoveFile(files_.TrainingState(0));
}

/// The network of a level, trained or pruned and repaired; `record` gets the rows of that.
Checkpoint Runner::MakeLevel(size_t index, LevelRecord& record, PhaseClock& clock) {
  const double percent = run_.levels[index];
  if (run_.training) {
    TrainedLevel trained =
        TrainLevel(run_, index, files_, generator_, WatchTraining(percent), clock);
    record.training = TrainingCells(percent, trained.rows);
    return std::move(trained.checkpoint);
  }
  const std::optional<Checkpoint> previous = PreviousStage(index);
  std::vector<RepairedUnit> repaired;
  Checkpoint checkpoint =
      PruneLevel({run_, index, previous ? &*previous : nullptr, files_.Partial(percent)},
                 *generator_, repaired, clock);
  record.repair = RepairCells(percent, repaired);
  return checkpoint;
}

/// States that no later stage starts from, once the record of `index` is there.
void Runner::DropTrainingStates(size_t index) const {
  if (!run_.training) return;
  const bool kept = run_.scheduler->Continues() && index + 1 < run_.levels.size();
  if (!kept) RemoveFile(files_.TrainingState(run_.levels[index]));
  if (index > 0) RemoveFile(files_.TrainingState(run_.levels[index - 1]));
}

void Runner::RunLevel(size_t index) {
  const double percent = run_.levels[index];
  if (Tell(Restore(percent) || RestoreUnmeasured(percent))) return DropTrainingStates(index);
  PhaseClock clock = std::exchange(setup_, {});
  LevelRecord record;
  const Checkpoint checkpoint = MakeAndEvaluate(index, record, clock);
  NoteGoal(run_, index, Measure(percent, checkpoint.graph, checkpoint.layers, record, clock));
  record.times = TimesCells(percent, clock);
  Note("{}: time: {}", LevelName(percent), clock.Describe());
  const std::string path = files_.Checkpoint(percent);
  SaveCheckpoint(checkpoint, path);
  record.checkpoint_bytes = FileSize(path);
  SaveCopy(run_, checkpoint, percent);
  Finish(std::move(record), percent, true);
  PartialLevel(files_.Partial(percent)).Remove();
  DropTrainingStates(index);
}

/// Everything of a level but its speed.
Checkpoint Runner::MakeAndEvaluate(size_t index, LevelRecord& record, PhaseClock& clock) {
  const double percent = run_.levels[index];
  if (run_.LearnsSparsities()) {
    run_.targets[index] =
        clock.Time("allocation", [&] { return LearnedTargets(run_, files_, percent); });
    NoteTargets(percent, run_.targets[index]);
    TellTargets();
  }
  Checkpoint checkpoint = MakeLevel(index, record, clock);
  if (run_.allocation.type == "Sensitivity" && run_.allocation.budget != "sparsity") {
    NoteBudget(run_, checkpoint, percent);
  } else {
    WarnOfMissedTarget(checkpoint);
  }
  if (run_.evaluation) {
    record.accuracy = clock.Time("evaluate", [&] { return EvaluateLevel(percent, checkpoint); });
  }
  return checkpoint;
}

/// What a progressive level starts from: the checkpoint of the level before, as it is on disk, so
/// that a resumed run starts from the same.
std::optional<Checkpoint> Runner::PreviousStage(size_t index) const {
  if (!run_.config.sparsity.progressive || index == 0) return std::nullopt;
  return LoadCheckpoint(files_.Checkpoint(run_.levels[index - 1]));
}

std::vector<std::string> Runner::EvaluateDense() {
  Evaluation result = EvaluateNetwork(run_, run_.model.graph, "evaluate dense", nullptr);
  NoteAccuracy(0, result);
  WriteDensePredictions(result.predictions, *run_.evaluation, files_.Predictions());
  std::vector<size_t> pruned;
  for (size_t i = 0; i < run_.layers.size(); ++i) {
    if (run_.skipped[i].empty()) pruned.push_back(i);
  }
  auto row = AccuracyRow(run_, 0, ZeroShare(run_, pruned), result);
  dense_ = {result.top1, std::move(result.predictions)};
  return row;
}

std::vector<std::string> Runner::EvaluateLevel(double percent, Checkpoint& checkpoint) {
  const Evaluation result = EvaluateNetwork(run_, checkpoint.graph,
                                            "evaluate " + LevelName(percent), &dense_.predictions);
  NoteAccuracy(percent, result);
  WarnOfCollapse(percent, dense_.top1, result.top1, run_.classes,
                 run_.config.sparsity.reconstruction.has_value() || run_.training != nullptr);
  checkpoint.metrics = {{"top1", result.top1},
                        {"top5", result.top5},
                        {"agreement", result.agreement},
                        {"loss", result.loss}};
  return AccuracyRow(run_, percent, checkpoint.achieved_sparsity, result);
}

}  // namespace sparsify
