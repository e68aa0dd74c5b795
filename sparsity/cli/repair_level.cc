#include "sparsity/cli/repair_level.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "reconstruction/distill.h"
#include "reconstruction/distillation_batches.h"
#include "reconstruction/image_subset.h"
#include "reconstruction/layer_repair.h"
#include "reconstruction/unit_repair.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"
#include "sparsity/cli/network.h"
#include "sparsity/cli/partial_level.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/mask/mask_generator.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

constexpr int64_t kCalibrationBatch = 64;  // cali_batchsize batches of this make the published set

/// The pattern in which a method that chooses masks must choose them.
PrunePattern PatternOf(const MaskGeneratorOptions& masks) {
  PrunePattern pattern;
  if (masks.type == "NMMaskGenerator") {
    pattern.kind = PruneKind::kNM;
    pattern.n = masks.nm.n;
    pattern.m = masks.nm.m;
  } else if (masks.type == "BlockMaskGenerator") {
    pattern.kind = PruneKind::kBlock;
    pattern.block_outputs = masks.block.block.at(0);
    pattern.block_inputs = masks.block.block.at(1);
  }
  return pattern;
}

/// The method apart where it is Adam, which is none of these.
LayerRepairOptions LayerOptions(const SparsityOptions& sparsity) {
  const ReconstructionOptions& chosen = *sparsity.reconstruction;
  LayerRepairOptions options;
  if (!chosen.IsAdam()) {
    options.method = LayerMethodFromName("reconstruction.method", chosen.method);
  }
  options.pattern = PatternOf(sparsity.mask_generator);
  options.damping = chosen.damping;
  options.damping_search = chosen.damping_search && chosen.SolvesForWeights();
  options.max_positions = chosen.max_positions;
  options.memory_limit_mb = chosen.memory_limit;
  options.statistics_correction = chosen.statistics_correction;
  options.activation_aware = chosen.activation_aware && chosen.SolvesForWeights();
  return options;
}

/// A mask made anew from the weights while they change (mask_is_static: False).
std::function<Mask(const std::string&, const Tensor&)> MaskMaker(
    const RepairTask& task, std::shared_ptr<const MaskGenerator> generator) {
  struct Known {
    double sparsity = 0;
    MaskContext context;
  };
  std::map<std::string, Known> known;
  for (size_t i = 0; i < task.layers.size(); ++i) {
    const Layer& layer = task.layers[i];
    const std::string& name = task.student.value(layer.weight).name;
    const auto mask = task.masks.find(name);
    if (mask == task.masks.end()) continue;
    known[name] = {mask->second.Sparsity(), {layer.name, layer.groups, task.seed, i}};
  }
  return [known, generator](const std::string& name, const Tensor& weight) {
    const Known& layer = known.at(name);
    if (FirstNonFinite(weight) >= 0) {
      Fail(layer.context.layer_name,
           "its weights are not finite any more: the repair diverged; lower weight_lr");
    }
    return generator->Generate(weight, layer.sparsity, layer.context);
  };
}

UnitRepairOptions UnitOptions(const SparsityOptions& sparsity) {
  const ReconstructionOptions& chosen = *sparsity.reconstruction;
  UnitRepairOptions options;
  options.pattern = UnitPatternFromName("reconstruction.pattern", chosen.pattern);
  options.max_count = chosen.max_count;
  options.weight_lr = chosen.weight_lr;
  options.bias_lr = chosen.bias_lr;
  options.lr_schedule =
      chosen.lr_schedule == "cosine" ? LrSchedule::kCosine : LrSchedule::kConstant;
  options.lr_scale = chosen.lr_scale == "row_rms" ? LrScale::kRowRms : LrScale::kAbsolute;
  options.use_dense_inps = chosen.use_dense_inps;
  options.bias_correction = chosen.bias_correction;
  options.weight_correction = chosen.weight_correction;
  options.early_stop = chosen.early_stop;
  options.mix_batches = chosen.mix_batches;
  options.held_back = chosen.held_back;
  options.patience = chosen.patience;
  options.batch = kCalibrationBatch;
  options.batches = sparsity.cali_batchsize;
  options.memory_limit_mb = chosen.memory_limit;
  options.keep_in_memory = chosen.keep_gpu;
  options.mask_is_static = sparsity.fake_sparse.mask_is_static;
  return options;
}

double MeanLoss(const std::vector<RepairedUnit>& units, double RepairedUnit::*loss) {
  double sum = 0;
  int64_t count = 0;
  for (const RepairedUnit& unit : units) {
    if (!unit.unrepaired.empty()) continue;
    sum += unit.*loss;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

void NoteRepair(double percent, const std::vector<RepairedUnit>& units, double seconds) {
  Note(
      "{} %: repaired {} of {} units in {}; mean error on the images of the repair {:.2f} → "
      "{:.2f} % of the variance",
      FormatPercent(percent),
      std::count_if(units.begin(), units.end(),
                    [](const RepairedUnit& unit) { return unit.unrepaired.empty(); }),
      units.size(), FormatSeconds(seconds), MeanLoss(units, &RepairedUnit::loss_before) * 100,
      MeanLoss(units, &RepairedUnit::loss_after) * 100);
}

/// One repair at work: what it needs, and the state that it leaves.
class LevelRepair {
 public:
  LevelRepair(const PreparedRun& run, size_t level, const Graph& teacher, Checkpoint& student,
              const std::string& partial_path, PhaseClock& clock)
      : sparsity_(run.config.sparsity),
        percent_(run.levels[level]),
        student_(student),
        partial_(partial_path),
        clock_(clock),
        layers_(LayersOf(student.graph)),
        teacher_(teacher),
        calibration_(*run.calibration),
        seed_(static_cast<uint64_t>(run.config.seed)) {}

  std::vector<RepairedUnit> Run(PartialState state) {
    if (!state.repaired) Repair(state);
    if (!sparsity_.reconstruction->polish) return state.units;
    return Polish(std::move(state.units));
  }

 private:
  /// The method, behind what `state` has.
  void Repair(PartialState& state) {
    const auto start = std::chrono::steady_clock::now();
    partial_.RemovePolish();  // of another repair
    const std::vector<RepairedUnit> earlier = state.units;
    double seconds_before = 0;
    for (const RepairedUnit& unit : earlier) seconds_before += unit.seconds;
    if (state.finished > 0) {
      Note("{} %: goes on behind unit {} of an earlier run", FormatPercent(percent_),
           state.finished);
      clock_.Add("repair", {{"units of an earlier run", seconds_before}});
    }
    const auto add = [&](std::span<const RepairedUnit> units) {
      state.units = earlier;
      state.units.insert(state.units.end(), units.begin(), units.end());
    };
    RepairResult result =
        RunMethod(state.finished, [&](int64_t done, std::span<const RepairedUnit> units) {
          state.finished = done;
          add(units);
          partial_.Save(student_, state);
        });
    add(result.units);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    NoteRepair(percent_, state.units, seconds_before + seconds.count());
    clock_.Add("repair", result.seconds);
    layers_ = LayersOf(student_.graph);  // some have a bias now
    state.repaired = true;
    if (sparsity_.reconstruction->polish) partial_.Save(student_, state, true);
  }

  RepairTask Task(const Dataset& calibration, std::string_view title) {
    return {.student = student_.graph,
            .teacher = teacher_,
            .masks = student_.masks,
            .layers = layers_,
            .calibration = calibration,
            .seed = seed_,
            .title = fmt::format("{} {} %", title, FormatPercent(percent_))};
  }

  /// The images that judge the polish are not used here: what is fitted to them cannot judge.
  RepairResult RunMethod(int64_t finished,
                         std::function<void(int64_t, std::span<const RepairedUnit>)> on_finished) {
    std::optional<ImageSubset> others;
    if (sparsity_.reconstruction->polish) {
      others.emplace(calibration_, DistillationBatches::NotHeldBack(
                                       calibration_.size(), UsableBatch(student_.graph, 1)));
    }
    RepairTask task = Task(others ? static_cast<const Dataset&>(*others) : calibration_, "repair");
    task.finished = finished;
    task.on_finished = std::move(on_finished);
    if (!sparsity_.reconstruction->IsAdam()) return RepairLayers(task, LayerOptions(sparsity_));
    UnitRepairOptions options = UnitOptions(sparsity_);
    if (!options.mask_is_static) {
      options.remake_mask = MaskMaker(task, MakeMaskGenerator(sparsity_.mask_generator));
    }
    RepairResult result = RepairUnits(task, options);
    if (sparsity_.reconstruction->statistics_correction) {
      Append(CorrectStatistics(task.calibration), result);
    }
    return result;
  }

  /// What the layers' outputs lack of the dense network's mean and deviation. Done again on layers
  /// that were corrected it changes little, so that it need not be resumed within.
  RepairResult CorrectStatistics(const Dataset& calibration) {
    layers_ = LayersOf(student_.graph);
    LayerRepairOptions options = LayerOptions(sparsity_);
    options.method = LayerMethod::kStatistics;
    options.activation_aware = false;
    RepairResult result = RepairLayers(Task(calibration, "statistics"), options);
    for (RepairedUnit& unit : result.units) unit.name += " statistics";
    return result;
  }

  static void Append(RepairResult more, RepairResult& result) {
    result.units.insert(result.units.end(), std::make_move_iterator(more.units.begin()),
                        std::make_move_iterator(more.units.end()));
    for (const auto& [phase, seconds] : more.seconds) result.seconds[phase] += seconds;
  }

  std::vector<RepairedUnit> Polish(std::vector<RepairedUnit> units) {
    PolishResume resume;
    resume.start = partial_.RestorePolish();
    resume.offer = [this](const auto& state, bool last) { partial_.SavePolish(state, last); };
    RepairResult result =
        Distill(Task(calibration_, "polish"), *sparsity_.reconstruction->polish, resume);
    clock_.Add("polish", result.seconds);
    units.insert(units.end(), result.units.begin(), result.units.end());
    return units;
  }

  const SparsityOptions& sparsity_;
  const double percent_;
  Checkpoint& student_;
  PartialLevel partial_;
  PhaseClock& clock_;
  std::vector<Layer> layers_;
  const Graph& teacher_;
  const Dataset& calibration_;
  const uint64_t seed_;
};

}  // namespace

std::vector<RepairedUnit> RepairLevel(const PreparedRun& run, size_t level, const Graph& teacher,
                                      Checkpoint& student, PartialState state,
                                      const std::string& partial_path, PhaseClock& clock) {
  return LevelRepair(run, level, teacher, student, partial_path, clock).Run(std::move(state));
}

std::string DescribeRepair(const PreparedRun& run) {
  const ReconstructionOptions& repair = *run.config.sparsity.reconstruction;
  const std::string method = repair.IsAdam() ? "adam, " + repair.pattern + "-wise" : repair.method;
  return fmt::format("repaired by {} on {} images of {}{}", method, run.calibration->size(),
                     run.config.data.calibration->path, repair.polish ? ", polished" : "");
}

}  // namespace sparsify
