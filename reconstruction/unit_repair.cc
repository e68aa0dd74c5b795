#include "reconstruction/unit_repair.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "reconstruction/activation_walk.h"
#include "reconstruction/calibration_blocks.h"
#include "reconstruction/layer_weights.h"
#include "reconstruction/phase_timer.h"
#include "reconstruction/unit_correction.h"
#include "reconstruction/unit_objective.h"
#include "reconstruction/unit_trainer.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

constexpr int64_t kBytesPerMb = 1'000'000;
constexpr int64_t kImagesAForwardPass = 16;
using Clock = std::chrono::steady_clock;

void CheckGraphs(const Graph& student, const Graph& teacher, const Dataset& calibration) {
  CheckSameNodes(student, teacher);
  if (student.inputs.size() != 1) {
    Fail(student.name, "{} inputs, repair needs a network with one", student.inputs.size());
  }
  const auto& expected = student.inputs[0].shape.dims();
  const Shape image({expected.begin() + 1, expected.end()});
  if (image != calibration.image_shape()) {
    Fail("calibration", "images have shape {}, the network takes {}; set data.transform to match",
         calibration.image_shape().ToString(), image.ToString());
  }
}

// The node without a gradient that stands behind the unit's weights, as a reason, or empty.
std::string Obstacle(const Graph& graph, const Unit& unit, const std::vector<Layer>& layers) {
  std::set<ValueId> depends;
  for (const int layer : unit.layers) depends.insert(layers[static_cast<size_t>(layer)].weight);
  for (const int index : unit.nodes) {
    const Node& node = graph.node(index);
    const bool reached = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id != kNoValue && depends.contains(id);
    });
    if (!reached) continue;
    if (GetOp(node.type).backward == nullptr) {
      return fmt::format("{} \"{}\" has no gradient", OpName(node.type), node.name);
    }
    depends.insert(node.outputs.begin(), node.outputs.end());  // kNoValue is not asked for
  }
  return "";
}

class UnitRepair {
 public:
  UnitRepair(const RepairTask& task, const UnitRepairOptions& options)
      : task_(task),
        options_(options),
        budget_(options.keep_in_memory ? options.memory_limit_mb * kBytesPerMb : 0) {
    if (!options.mask_is_static && !options.remake_mask) {
      Fail("reconstruction", "masks that are not static need a mask generator");
    }
    CheckGraphs(task.student, task.teacher, task.calibration);
    BakeIntoStudent(task.masks, task.student);
    const int64_t fixed = task.student.inputs[0].shape[0];
    if (fixed > 0) options_.batch = fixed;
    units_ = FindUnits(task.student, task.layers, options.pattern);
    if (task.finished < 0 || task.finished > std::ssize(units_)) {
      Fail(task.student.name, "{} units are said to be finished, there are {}", task.finished,
           units_.size());
    }
  }

  RepairResult Run() {
    FindWork();
    if (work_.empty()) return std::move(result_);
    Load();
    std::optional<Progress> progress;
    if (!task_.title.empty()) {
      progress.emplace(task_.title, options_.max_count * std::ssize(work_));
    }
    for (const Work& work : work_) {
      RepairOne(work, progress ? &*progress : nullptr);
      if (task_.on_finished) {
        task_.on_finished(static_cast<int64_t>(work.unit) + 1,
                          std::span(result_.units).first(work.report + 1));
      }
    }
    return std::move(result_);
  }

 private:
  struct Work {
    size_t unit = 0;
    size_t report = 0;
  };

  bool IsPruned(const Layer& layer) const {
    const auto it = task_.masks.find(task_.student.value(layer.weight).name);
    if (it == task_.masks.end()) return false;
    const Tensor& dense = task_.teacher.value(task_.teacher.node(layer.node).inputs[1]).data;
    for (int64_t i = 0; i < dense.size(); ++i) {
      if (!it->second[i] && dense[i] != 0) return true;
    }
    return false;
  }

  void FindWork() {
    for (size_t i = static_cast<size_t>(task_.finished); i < units_.size(); ++i) {
      RepairedUnit report;
      report.name = units_[i].name;
      const auto& layers = units_[i].layers;
      const bool pruned = std::any_of(layers.begin(), layers.end(), [&](int layer) {
        return IsPruned(task_.layers[static_cast<size_t>(layer)]);
      });
      report.unrepaired =
          pruned ? Obstacle(task_.student, units_[i], task_.layers) : "nothing is pruned in it";
      if (!pruned) {
        Verbose("{}: not repaired: {}", report.name, report.unrepaired);
      } else if (!report.unrepaired.empty()) {
        Warn("{}: not repaired: {}", report.name, report.unrepaired);
      } else {
        work_.push_back({i, result_.units.size()});
      }
      result_.units.push_back(std::move(report));
    }
  }

  void Load() {
    const auto start = Clock::now();
    const bool fixed = task_.student.inputs[0].shape[0] > 0;
    const auto images =
        LoadCalibration(task_.calibration,
                        {options_.batch, options_.batches, options_.held_back, fixed, task_.seed,
                         task_.title, options_.scratch_directory},
                        budget_, blocks_);
    const int64_t chunk = fixed ? options_.batch : std::min(options_.batch, kImagesAForwardPass);
    const ActivationWalk::Settings settings = {chunk, options_.scratch_directory};
    teacher_walk_.emplace(task_.teacher, images, blocks_, budget_, settings);
    if (!options_.use_dense_inps) {
      student_walk_.emplace(task_.student, images, blocks_, budget_, settings);
    }
    shapes_ = InferShapes(task_.student, options_.batch);
    result_.seconds["forward"] += SecondsSince(start);
    if (task_.title.empty()) return;
    const int64_t batches = blocks_.count() - blocks_.held_blocks;
    Note("{}: adam on {} units (pattern: {}), at most {} steps each, {} images in {} {}{}",
         task_.title, work_.size(), UnitPatternName(options_.pattern), options_.max_count,
         blocks_.images() - blocks_.held_images(), batches, batches == 1 ? "batch" : "batches",
         blocks_.held_blocks == 0
             ? ""
             : fmt::format(", {} more held back to decide when to stop", blocks_.held_images()));
  }

  // The teacher's value that corresponds to one of the student's.
  ValueId InTeacher(ValueId id) const {
    const int producer = task_.student.Producer(id);
    if (producer < 0) return task_.teacher.inputs[0].value;
    const auto& outputs = task_.student.node(producer).outputs;
    const auto at = std::find(outputs.begin(), outputs.end(), id) - outputs.begin();
    return task_.teacher.node(producer).outputs[static_cast<size_t>(at)];
  }

  // A step's activations, their gradients and its batch count against the memory limit.
  void LimitMemory(const Unit& unit) {
    int64_t elements = 0;
    for (const auto* ids : {&unit.inputs, &unit.outputs}) {
      for (const ValueId id : *ids) elements += shapes_[static_cast<size_t>(id)].NumElements();
    }
    for (const int node : unit.nodes) {
      for (const ValueId id : task_.student.node(node).outputs) {
        if (id != kNoValue) elements += 2 * shapes_[static_cast<size_t>(id)].NumElements();
      }
    }
    const int64_t step = elements * static_cast<int64_t>(sizeof(float));
    const int64_t left = options_.memory_limit_mb * kBytesPerMb - step;
    budget_.set_limit(options_.keep_in_memory ? std::max<int64_t>(0, left) : 0);
    if (left >= 0) return;
    Warn("{}: a step of {} images takes up to {}, memory_limit is {} MB", unit.name, options_.batch,
         FormatBytes(step), options_.memory_limit_mb);
  }

  void NoteScratchFile() {
    int64_t bytes = teacher_walk_->bytes_on_disk();
    if (student_walk_) bytes += student_walk_->bytes_on_disk();
    if (bytes == 0 || noted_scratch_ || task_.title.empty()) return;
    noted_scratch_ = true;
    Note("{}: {} of kept activations go to a scratch file in {}{}", task_.title, FormatBytes(bytes),
         ScratchFile(options_.scratch_directory).directory(),
         options_.keep_in_memory ? fmt::format(": memory_limit is {} MB", options_.memory_limit_mb)
                                 : "");
  }

  using Means = std::map<ValueId, std::vector<double>>;

  // Computes the unit's inputs and targets; returns the teacher's channel means of its layers
  // (by the student's values) where they are wanted.
  Means Advance(const Unit& unit, UnitData& data) {
    std::vector<ValueId> wanted;
    for (const ValueId id : unit.outputs) wanted.push_back(InTeacher(id));
    std::map<ValueId, ChannelMoments> moments;  // by the teacher's values
    std::set<ValueId> observed;
    Means means;
    for (const int layer : unit.layers) {
      if (!options_.bias_correction) break;
      const int node = task_.layers[static_cast<size_t>(layer)].node;
      observed.insert(task_.teacher.node(node).outputs[0]);
    }
    if (student_walk_) {
      student_walk_->Advance(unit.inputs);
    } else {
      for (const ValueId id : unit.inputs) wanted.push_back(InTeacher(id));
    }
    teacher_walk_->Advance(wanted, observed, [&](ValueId id, int64_t first, const Tensor& rows) {
      if (first >= blocks_.held_images()) moments[id].Add(rows);
    });
    for (const ValueId id : unit.inputs) {
      data.inputs[id] =
          student_walk_ ? &student_walk_->Store(id) : &teacher_walk_->Store(InTeacher(id));
    }
    for (const ValueId id : unit.outputs) data.targets[id] = &teacher_walk_->Store(InTeacher(id));
    for (const int layer : unit.layers) {
      const ValueId id =
          task_.student.node(task_.layers[static_cast<size_t>(layer)].node).outputs[0];
      const auto it = moments.find(InTeacher(id));
      if (it != moments.end()) means[id] = it->second.Means();
    }
    return means;
  }

  // Returns what could not be corrected, or nothing.
  std::string Correct(const Unit& unit, const Means& teacher_means, UnitParameters& parameters,
                      UnitTrainer& trainer) {
    if (options_.weight_correction) parameters.CorrectWeights();
    parameters.Show();
    std::string left;
    if (options_.bias_correction) {
      left = CorrectBiases(task_.student, task_.layers, unit, teacher_means, [&](ValueId id) {
        ChannelMoments moments;
        trainer.ForEachTrainingBlock([&](const GraphPass& pass) { moments.Add(pass.Output(id)); });
        return moments.Means();
      });
    }
    if (options_.weight_correction || options_.bias_correction || !options_.mask_is_static) {
      trainer.Consider();
    }
    return left;
  }

  void RepairOne(const Work& work, Progress* progress) {
    const Unit& unit = units_[work.unit];
    RepairedUnit& report = result_.units[work.report];
    const auto start = Clock::now();
    LimitMemory(unit);
    UnitData data;
    const Means means = Advance(unit, data);
    NoteScratchFile();
    const double forward = SecondsSince(start);
    UnitParameters parameters(task_.student, task_.teacher, task_.layers, unit, task_.masks,
                              options_);
    if (parameters.empty()) {
      report.unrepaired = parameters.remark();
      Warn("{}: not repaired: {}", unit.name, report.unrepaired);
      if (progress != nullptr) progress->Advance(options_.max_count);
      return;
    }
    UnitTrainer trainer(task_.student, unit, std::move(data), blocks_, parameters, options_,
                        Random(task_.seed, work.unit + 1));
    trainer.Consider();
    const std::string left = Correct(unit, means, parameters, trainer);
    const double corrected = SecondsSince(start);
    trainer.Run(progress);
    trainer.Finish();
    report.seconds = SecondsSince(start);
    result_.seconds["forward"] += forward;
    result_.seconds["correction"] += corrected - forward;
    result_.seconds["steps"] += report.seconds - corrected;
    for (const std::string& part : {trainer.remark(), parameters.remark(), left}) {
      if (!part.empty()) report.remark += (report.remark.empty() ? "" : "; ") + part;
    }
    Fill(trainer, report);
  }

  void Fill(const UnitTrainer& trainer, RepairedUnit& report) const {
    const double variance = trainer.variance();
    report.loss_before = variance > 0 ? trainer.first_loss() / variance : 0;
    report.loss_after = variance > 0 ? trainer.best_loss() / variance : 0;
    report.steps = trainer.steps();
    report.samples = blocks_.images();
    if (task_.title.empty()) return;
    Verbose("{}: loss {:.4g} → {:.4g} of the variance, {} steps, {}", report.name,
            report.loss_before, report.loss_after, report.steps, FormatSeconds(report.seconds));
    if (!report.remark.empty()) Note("{}: {}", report.name, report.remark);
  }

  const RepairTask& task_;
  UnitRepairOptions options_;
  MemoryBudget budget_;
  ImageBlocks blocks_;
  std::vector<Unit> units_;
  std::vector<Work> work_;
  RepairResult result_;
  std::vector<Shape> shapes_;  // by the student's value, for one batch
  std::optional<ActivationWalk> teacher_walk_;
  std::optional<ActivationWalk> student_walk_;  // none with use_dense_inps
  bool noted_scratch_ = false;
};

}  // namespace

RepairResult RepairUnits(const RepairTask& task, const UnitRepairOptions& options) {
  return UnitRepair(task, options).Run();
}

}  // namespace sparsify
