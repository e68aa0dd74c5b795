#include "sparsity/cli/prepare.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "schedulers/amba_level_prune_scheduler.h"
#include "schedulers/ampere_scheduler.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/describe_plan.h"
#include "sparsity/cli/level_analysis.h"
#include "sparsity/cli/network.h"
#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/io/model_file.h"
#include "sparsity/training/training_checks.h"

namespace sparsify {
namespace {

/// Where the published scheduler brings its own selection and allocation, those count.
LayerSelectionOptions SelectionOf(const SparsityOptions& options) {
  return options.scheduler.type == "AmbaLevelPruneScheduler"
             ? options.scheduler.amba_level_prune.selection
             : options.layers;
}

AllocationOptions AllocationOf(const SparsityOptions& options) {
  return options.scheduler.type == "AmbaLevelPruneScheduler"
             ? AllocationOf(options.scheduler.amba_level_prune)
             : options.allocation;
}

/// Why each layer stays dense, or empty.
std::vector<std::string> SkippedLayers(const std::vector<Layer>& layers,
                                       const SparsityOptions& options) {
  std::vector<std::string> skipped = SelectLayers(layers, SelectionOf(options));
  if (options.scheduler.type != "AmpereScheduler") return skipped;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (skipped[i].empty()) skipped[i] = AmpereSkipReason(layers[i]);
  }
  return skipped;
}

void CheckBatches(const PreparedRun& run, const OptionsDocument& document) {
  const int64_t fixed = run.model.graph.inputs.at(0).shape[0];
  if (fixed <= 0 || !run.config.benchmark) return;
  for (const int64_t batch : run.config.benchmark->batch) {
    if (batch == fixed) continue;
    FailUsage(document.Where("benchmark.batch"), "{}, but {} fixes the batch size to {}; use [{}]",
              batch, run.config.model.path, fixed, fixed);
  }
}

bool Repairs(const RunConfig& config) {
  const auto& repair = config.sparsity.reconstruction;
  return repair.has_value();
}

bool RepairsLayerwise(const RunConfig& config) {
  return Repairs(config) && config.sparsity.reconstruction->IsLayerwise();
}

/// Masks are then made on the folded weights, and the checkpoints hold the folded network.
void FoldForRepair(Checkpoint& model) {
  FoldReport report;
  model.graph = FoldBatchNorms(std::move(model.graph), &report);
  if (report.folded > 0) {
    Note("{} batch normalisations are folded into the layers before them, in the checkpoints too",
         report.folded);
  }
  for (const FoldReport::Kept& kept : report.kept) {
    Note("batch normalisation \"{}\" is not folded: {}", kept.node, kept.reason);
  }
}

void CheckMeasuring(const RunConfig& config, const OptionsDocument& document) {
  if (!config.data.calibration) {
    FailUsage(document.Where("data.calibration"),
              "missing; allocation by Sensitivity measures on images, e.g. "
              "--set data.calibration=\"{{type: images, path: FOLDER}}\"; or name an earlier run's "
              "sensitivity.csv in sparsity.allocation.curves_file, or do without images with "
              "sparsity.allocation.loss: energy");
  }
}

/// Sparsities that curves or times are measured at.
void CheckLevels(const std::vector<double>& levels, const std::string& where) {
  if (levels.size() < 2) {
    FailUsage(where, "{} levels; a curve needs at least two", levels.size());
  }
  for (size_t i = 0; i < levels.size(); ++i) {
    if (i > 0 && levels[i] <= levels[i - 1]) {
      FailUsage(where, "{} after {}; levels must increase", levels[i], levels[i - 1]);
    }
  }
  if (levels.back() <= 1) {
    FailUsage(where, "no level is above {} percent; this key is in percent, not a fraction",
              levels.back());
  }
}

/// FCPTS learns thresholds of single weights' magnitudes, on images.
void CheckLearning(const RunConfig& config, const OptionsDocument& document) {
  const SparsityOptions& s = config.sparsity;
  constexpr std::string_view kRemedy =
      "use NormalMaskGenerator without structured, or another allocation.type";
  if (s.scheduler.type == "AmpereScheduler") {
    FailUsage(
        document.Where("sparsity.scheduler.type"),
        "AmpereScheduler makes N:M masks, but allocation by FCPTS learns thresholds of single "
        "weights; use BaseScheduler, or another allocation.type");
  }
  if (s.mask_generator.type != "NormalMaskGenerator") {
    FailUsage(document.Where("sparsity.mask_generator.type"),
              "{}, but allocation by FCPTS learns thresholds of single weights; {}",
              s.mask_generator.type, kRemedy);
  }
  if (s.mask_generator.normal.structured) {
    FailUsage(document.Where("sparsity.mask_generator.kwargs.structured"),
              "true, but allocation by FCPTS learns thresholds of single weights; {}", kRemedy);
  }
  if (config.data.calibration) return;
  FailUsage(document.Where("data.calibration"),
            "missing; allocation by FCPTS learns on images, e.g. "
            "--set data.calibration=\"{{type: images, path: FOLDER}}\"");
}

/// What a polish would be refused for only after the repair.
void CheckPolish(const RunConfig& config, const OptionsDocument& document) {
  const PolishOptions& polish = *config.sparsity.reconstruction->polish;
  CheckPrecision(polish.LayerPrecision(),
                 document.Where("sparsity.reconstruction.polish.precision"));
  polish.Check(document.Where("sparsity.reconstruction.polish"));
  if (polish.warm_up >= polish.max_count) {
    Warn("{}: the step size rises over {} steps, and there are {}",
         document.Where("sparsity.reconstruction.polish.warm_up"), polish.warm_up,
         polish.max_count);
  }
}

/// The set, and how many steps each level gets of it.
void PrepareTraining(const OptionsDocument& document, PreparedRun& run) {
  const RunConfig& config = run.config;
  const Shape image = ImageShape(run.model.graph);
  const std::optional<int64_t> resolution = config.training->resolution;
  CheckPrecision(config.training->LayerPrecision(), "training.precision");
  if (resolution) CheckResolution(run.model.graph, {image[0], *resolution, *resolution});
  run.training =
      OpenDataset(*config.data.training, config.data.transform, image, "data.training", resolution);
  if (config.training->batch > run.training->size()) {
    FailUsage(document.Where("training.batch"), "{}, but data.training has {} images",
              config.training->batch, run.training->size());
  }
  const int64_t total =
      run.scheduler->TotalIterations(config.training->Steps(run.training->size()));
  const std::vector<Stage> stages = ScheduledStages(config, document, total);
  for (size_t i = 0; i < stages.size(); ++i) {
    const bool last = !run.scheduler->Continues() || i + 1 == stages.size();
    run.steps.push_back((last ? total : stages[i + 1].first_iteration) - stages[i].first_iteration);
  }
}

/// The published key must be the network's own input where it is given.
void CheckInputShape(const RunConfig& config, const OptionsDocument& document, const Graph& graph) {
  constexpr std::string_view kKey = "sparsity.scheduler.kwargs.default_input_shape";
  if (config.sparsity.scheduler.type != "AmbaLevelPruneScheduler" || !document.Has(kKey)) return;
  std::vector<int64_t> given = config.sparsity.scheduler.amba_level_prune.default_input_shape;
  given.erase(given.begin());
  const Shape image = ImageShape(graph);
  if (Shape(given) == image) return;
  FailUsage(document.Where(kKey),
            "the network's input is {}, not {}; leave the key out, or give "
            "[1, {}]",
            image.ToString(), Shape(given).ToString(), fmt::join(image.dims(), ", "));
}

}  // namespace

void AllocateLevels(PreparedRun& run) {
  run.targets.clear();
  if (run.LearnsSparsities()) run.targets.resize(run.levels.size());
  if (run.SettlesLater() || run.LearnsSparsities()) return;
  for (const double level : run.levels) {
    run.targets.push_back(
        Allocate(run.model.graph, run.layers, run.skipped, level / 100, run.allocation));
  }
}

void AnalyseNetwork(PreparedRun& run, const std::string& folder, bool write) {
  const SchedulerOptions& scheduler = run.config.sparsity.scheduler;
  if (scheduler.type != "AmbaLevelPruneScheduler") return;
  const AmbaLevelPruneOptions& options = scheduler.amba_level_prune;
  run.targets = AnalyseLevels(run.model.graph, run.layers, run.skipped, run.levels, options,
                              options.output_dir.empty() ? folder : options.output_dir, write);
}

std::string PreparedRun::AllocationFiles() const {
  if (HasTimeBudget())
    return "sensitivity.csv, layer_times.csv, targets.csv, target_sparsity_*.csv, ";
  if (SettlesLater()) return "sensitivity.csv, ";
  return LearnsSparsities() ? "learned_sparsity_*.csv, " : "";
}

PreparedRun PrepareRun(const RunConfig& config, const OptionsDocument& document) {
  PreparedRun run;
  run.config = config;
  run.allocation = AllocationOf(config.sparsity);
  if (run.MeasuresCurves()) CheckMeasuring(config, document);
  if (run.SettlesLater() && run.allocation.curves_file.empty()) {
    CheckLevels(run.allocation.levels, document.Where("sparsity.allocation.levels"));
  }
  if (run.HasTimeBudget()) {
    CheckLevels(run.allocation.time_levels, document.Where("sparsity.allocation.time_levels"));
  }
  if (run.LearnsSparsities()) CheckLearning(config, document);
  run.scheduler = MakeScheduler(config.sparsity.scheduler);
  run.levels = SweepLevels(config, document);
  if (run.HasTimeBudget()) run.goals = run.levels;
  run.model = LoadModelFile(config.model.path);
  RequireClassifier(run.model.graph, config.model.path);
  CheckParametersFinite(run.model.graph, config.model.path);
  if (RepairsLayerwise(config)) FoldForRepair(run.model);
  const Graph& graph = run.model.graph;
  run.network = std::filesystem::path(config.model.path).stem().string();
  run.classes = ClassCount(graph);
  run.layers = LayersOf(graph);
  if (run.layers.empty()) {
    Fail(config.model.path, "no convolution and no fully connected layer; nothing to prune");
  }
  CheckBatches(run, document);
  CheckInputShape(config, document, graph);
  run.skipped = SkippedLayers(run.layers, config.sparsity);
  if (std::count(run.skipped.begin(), run.skipped.end(), "") == 0) {
    Fail(config.model.path, "every layer is excluded from pruning ({})",
         DescribeSkipped(run.skipped));
  }
  AllocateLevels(run);
  if (config.data.evaluation) {
    run.evaluation = OpenDataset(*config.data.evaluation, config.data.transform, ImageShape(graph),
                                 "data.evaluation");
  } else {
    Warn("no data.evaluation: accuracy is not measured");
  }
  if (config.training) PrepareTraining(document, run);
  if (Repairs(config) && config.sparsity.reconstruction->polish) CheckPolish(config, document);
  if (Repairs(config) || run.MeasuresCurves() || run.LearnsSparsities()) {
    auto& images = Repairs(config) ? run.calibration : run.measuring;
    images = OpenDataset(*config.data.calibration, config.data.transform, ImageShape(graph),
                         "data.calibration", {}, Labels::kUnused);
  }
  return run;
}

int64_t EstimateCheckpointBytes(const PreparedRun& run, const std::vector<double>& levels) {
  // Kept weights as floats, a mask bit a weight, and a margin for the structure.
  constexpr double kStructureBytes = 262144;
  const auto parameters = static_cast<double>(CountParameters(run.model.graph));
  double bytes = 0;
  // A budget of multiply-adds or of time says little about the weights.
  const bool of_weights = run.allocation.type != "Sensitivity" ||
                          (run.allocation.budget != "macs" && !run.HasTimeBudget());
  for (const double level : levels) {
    const double kept = of_weights ? 1 - level / 100 : 1;
    bytes += parameters * (4 * kept + 0.5) + kStructureBytes;
  }
  return static_cast<int64_t>(bytes);
}

void CheckDiskSpace(const PreparedRun& run, const std::vector<double>& levels) {
  const std::string& folder = run.config.output.dir;
  const int64_t needed = EstimateCheckpointBytes(run, levels);
  const int64_t available = FreeDiskSpace(folder);
  if (needed <= available) return;
  Fail(folder,
       "the checkpoints need about {}, {} are free; make room or choose another folder "
       "with --output DIR",
       FormatBytes(needed), FormatBytes(available));
}

}  // namespace sparsify
