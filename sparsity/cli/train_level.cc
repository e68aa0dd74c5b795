#include "sparsity/cli/train_level.h"

#include <optional>
#include <utility>

#include "sparsity/allocation/prune_network.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/level_checkpoint.h"
#include "sparsity/cli/rank_exchange.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/training/initialize.h"
#include "sparsity/training/trainer.h"

namespace sparsify {
namespace {

/// What an earlier run of this level has saved.
std::optional<TrainingState> SavedState(const PreparedRun& run, const std::string& path) {
  if (!FirstSees(run, path)) return std::nullopt;
  try {
    return LoadTrainingState(path);
  } catch (const Error& error) {
    Warn("{}; this level is trained from its beginning", error.what());
    return std::nullopt;
  }
}

std::optional<TrainingState> StartOf(const PreparedRun& run, size_t level, const RunFiles& files) {
  const double percent = run.levels[level];
  if (auto saved = SavedState(run, files.TrainingState(percent))) {
    Note("{} %: goes on behind step {} of an earlier run", FormatPercent(percent), saved->step);
    return saved;
  }
  if (!run.scheduler->Continues() || level == 0) return std::nullopt;
  const std::string path = files.TrainingState(run.levels[level - 1]);
  if (!FirstSees(run, path)) {
    Fail(path,
         "missing; the stage goes on from the weights of the one before; remove {} to train "
         "that one again",
         files.Record(run.levels[level - 1]));
  }
  TrainingState state = LoadTrainingState(path);
  state.step = 0;
  return state;
}

/// The fraction that each layer gives up, less than 0 where it stays dense.
std::vector<double> LayerSparsities(const std::vector<LayerTarget>& targets) {
  std::vector<double> sparsity;
  for (const LayerTarget& target : targets) {
    sparsity.push_back(target.skipped.empty() && target.sparsity > 0 ? target.sparsity : -1);
  }
  return sparsity;
}

/// Trains, and says what came of it.
TrainingResult RunTraining(const TrainingTask& task, const TrainingOptions& options,
                           PhaseClock& clock) {
  TrainingResult result = Train(task, options);
  double seconds = 0;
  for (const auto& [phase, time] : result.seconds) seconds += time;
  if (!result.state.rows.empty()) {
    const TrainingRow& last = result.state.rows.back();
    Note(
        "{}: {} steps in {}; at the end loss {:.4f}, top-1 {:.2f} % of the images learned from, "
        "{:.0f} images/s",
        task.title, result.state.step, FormatSeconds(seconds), last.loss, last.top1,
        last.images_per_second);
  }
  clock.Add("training", result.seconds);
  return result;
}

}  // namespace

TrainedLevel TrainLevel(const PreparedRun& run, size_t level, const RunFiles& files,
                        const std::shared_ptr<const MaskGenerator>& generator,
                        const TrainingRowsSeen& seen, PhaseClock& clock) {
  const RunConfig& config = run.config;
  const double percent = run.levels[level];
  const auto seed = static_cast<uint64_t>(config.seed);
  const auto rule =
      run.scheduler->MakeRule({generator, config.sparsity.fake_sparse.mask_is_static, seed});
  TrainedLevel trained = {run.model, {}};
  // Folded, the dense network gives the same answers in less time.
  const Graph teacher = config.training->distillation ? FoldBatchNorms(run.model.graph) : Graph();
  Checkpoint& checkpoint = trained.checkpoint;
  const TrainingTask task = {.graph = checkpoint.graph,
                             .layers = run.layers,
                             .data = *run.training,
                             .label_offset = config.data.transform.label_offset,
                             .teacher = config.training->distillation ? &teacher : nullptr,
                             .seed = seed,
                             .steps = run.steps[level],
                             .rule = rule.get(),
                             .sparsity = LayerSparsities(run.targets[level]),
                             .title = fmt::format("train {} %", FormatPercent(percent)),
                             .start = StartOf(run, level, files),
                             .state_path = files.TrainingState(percent),
                             .on_row = seen,
                             .ranks = run.ranks};
  TrainingResult result = RunTraining(task, *config.training, clock);
  if (run.IsFirst()) SaveTrainingState(result.state, files.TrainingState(percent));
  trained.rows = std::move(result.state.rows);
  checkpoint.masks = std::move(result.masks);
  BakeMasks(checkpoint.graph, checkpoint.masks);
  RecordSparsity(run, level, checkpoint);
  checkpoint.metrics.clear();
  checkpoint.configuration = ResolvedConfig(config);
  AddHistory(fmt::format("trained {} steps of {} of {} to {} % by {}", run.steps[level],
                         config.training->ImagesText(), config.data.training->path,
                         FormatPercent(percent), run.scheduler->type()),
             checkpoint);
  return trained;
}

std::vector<TrainingRow> TrainDense(PreparedRun& run, const RunFiles& files,
                                    const TrainingRowsSeen& seen, PhaseClock& clock) {
  const RunConfig& config = run.config;
  TrainingOptions options = *config.training;
  if (options.distillation) {
    Note("train dense: without distillation, there is no dense network to learn from yet");
    options.distillation.reset();
  }
  const int64_t steps = options.Steps(run.training->size());
  InitializeNetwork(run.model.graph, run.layers, static_cast<uint64_t>(config.seed));
  const TrainingTask task = {.graph = run.model.graph,
                             .layers = run.layers,
                             .data = *run.training,
                             .label_offset = config.data.transform.label_offset,
                             .teacher = nullptr,
                             .seed = static_cast<uint64_t>(config.seed),
                             .steps = steps,
                             .rule = nullptr,
                             .sparsity = {},
                             .title = "train dense",
                             .start = SavedState(run, files.TrainingState(0)),
                             .state_path = files.TrainingState(0),
                             .on_row = seen,
                             .ranks = run.ranks};
  TrainingResult result = RunTraining(task, options, clock);
  if (run.IsFirst()) SaveTrainingState(result.state, files.TrainingState(0));
  AddHistory(fmt::format("trained from random weights, {} steps of {} of {}", steps,
                         options.ImagesText(), config.data.training->path),
             run.model);
  return std::move(result.state.rows);
}

std::vector<std::string> TrainingCells(double percent, const std::vector<TrainingRow>& rows) {
  std::vector<std::string> cells;
  for (const TrainingRow& row : rows) {
    for (std::string& cell : std::vector<std::string>{
             FormatPercent(percent), fmt::format("{}", row.step), fmt::format("{:.3f}", row.epoch),
             fmt::format("{:.5f}", row.loss), fmt::format("{:.2f}", row.top1),
             fmt::format("{:.3g}", row.learning_rate), fmt::format("{:.2f}", row.sparsity),
             fmt::format("{:.1f}", row.images_per_second)}) {
      cells.push_back(std::move(cell));
    }
  }
  return cells;
}

}  // namespace sparsify
