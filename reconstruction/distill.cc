#include "reconstruction/distill.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>
#include <utility>

#include "reconstruction/distillation_batches.h"
#include "reconstruction/distillation_objective.h"
#include "reconstruction/distillation_state.h"
#include "reconstruction/distillation_targets.h"
#include "reconstruction/phase_timer.h"
#include "reconstruction/relative_adam.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"
#include "sparsity/graph/hash_graph.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

using Clock = std::chrono::steady_clock;

// What is done to the images of a step.
std::string Variation(const DistillOptions& options) {
  std::string text;
  if (options.augment) {
    text = options.min_area < 1
               ? fmt::format(", random crops of {:.0f} to 100 % of a picture, flipped",
                             100 * options.min_area)
               : ", randomly cropped and flipped";
  }
  if (options.mixup > 0)
    text += fmt::format(", up to {:.0f} % of another mixed in", 100 * options.mixup);
  return text;
}

class Distillation {
 public:
  Distillation(const RepairTask& task, const DistillOptions& options, const PolishResume& resume,
               DistillationTargets targets)
      : task_(task),
        options_(options),
        resume_(resume),
        least_(std::max<int64_t>(1, task.student.inputs[0].shape[0])),
        batches_(task.calibration,
                 {options.batch, options.augment, options.min_area, options.mixup}, least_,
                 task.seed),
        objective_(task.student, task.teacher, task.layers, std::move(targets),
                   {options.logits_loss == "squared", options.logits_weight, options.block_weight,
                    options.LayerPrecision()}) {}

  RepairedUnit Run();
  /// Seconds of this polish so far, those of the call that it goes on from included.
  double Elapsed() const { return earlier_ + SecondsSince(start_); }
  std::map<std::string, double> Seconds() const;

 private:
  void Measure();
  void AddParameters(const std::vector<Spread>& of_layers);
  void AddBias(const Layer& layer, const Spread& outputs);
  double HeldBackLoss(const std::map<ValueId, const Tensor*>& parameters);
  std::map<ValueId, Tensor> Blend(double share) const;
  std::map<ValueId, Tensor> BestBlend(RepairedUnit& unit);
  int64_t Restore();
  void Offer(int64_t steps, bool last) const;
  std::optional<double> Step(int64_t step);
  std::string Train(int64_t& steps);
  void Announce() const;
  bool IsSilent() const { return task_.title.empty(); }

  const RepairTask& task_;
  const DistillOptions& options_;
  const PolishResume& resume_;
  const int64_t least_;  // images that the network takes: its own batch size, or 1
  DistillationBatches batches_;
  DistillationObjective objective_;
  RelativeAdam optimiser_;
  std::map<ValueId, const Tensor*> parameters_;  // the optimiser's
  std::map<ValueId, Tensor> gradients_;
  std::string origin_;  // the student's hash
  double earlier_ = 0;  // seconds of the call that this one goes on from
  const Clock::time_point start_ = Clock::now();
  Batch held_back_;
  Batch batch_;
  std::map<std::string, double> seconds_;
};

// The scales of losses and steps, from the images held back.
void Distillation::Measure() {
  {
    const PhaseTimer timer(seconds_, "load");
    batches_.LoadHeldBack(held_back_);
  }
  const auto count = std::ssize(held_back_.labels);
  if (count < least_) {
    Fail("calibration", "{} of the {} images held back for the polish can be read, too few", count,
         batches_.held_back().size());
  }
  AddParameters(objective_.Measure(held_back_.images));
  if (IsSilent()) return;
  for (const std::string& name : objective_.dropped()) {
    Note("{}: polish: output \"{}\" is constant in the dense network and left out of the loss",
         task_.title, name);
  }
}

void Distillation::AddParameters(const std::vector<Spread>& of_layers) {
  for (size_t i = 0; i < task_.layers.size(); ++i) {
    const Layer& layer = task_.layers[i];
    const Value& weight = task_.student.value(layer.weight);
    const auto mask = task_.masks.find(weight.name);
    optimiser_.Add(layer.weight, weight.data, RowRms(weight.data, weight.data.shape()[0]),
                   mask == task_.masks.end() ? nullptr : &mask->second);
    if (layer.bias != kNoValue) AddBias(layer, of_layers[i]);
  }
  for (const auto& [id, tensor] : optimiser_.parameters()) {
    parameters_[id] = &tensor;
    gradients_[id];
  }
}

void Distillation::AddBias(const Layer& layer, const Spread& outputs) {
  const Value& bias = task_.student.value(layer.bias);
  if (!bias.is_parameter) {
    if (!IsSilent())
      Note("{}: polish: the bias of {} is computed and stays", task_.title, layer.name);
    return;
  }
  std::vector<double> scales = outputs.ChannelDeviations();
  if (bias.data.size() != std::ssize(scales)) {  // one number for all channels: their mean
    const double sum = std::accumulate(scales.begin(), scales.end(), 0.0);
    scales = {sum / static_cast<double>(scales.size())};
  }
  optimiser_.Add(layer.bias, bias.data, std::move(scales), nullptr);
}

double Distillation::HeldBackLoss(const std::map<ValueId, const Tensor*>& parameters) {
  return objective_.Loss(held_back_.images, parameters, nullptr);
}

// The parameters at `share` of the way from the student's to what was learned.
std::map<ValueId, Tensor> Distillation::Blend(double share) const {
  std::map<ValueId, Tensor> blend;
  for (const auto& [id, learned] : parameters_) {
    if (share == 1) {
      blend.emplace(id, *learned);
      continue;
    }
    Tensor mixed = task_.student.value(id).data;
    for (int64_t i = 0; i < mixed.size(); ++i) {
      mixed[i] += static_cast<float>(share) * ((*learned)[i] - mixed[i]);
    }
    blend.emplace(id, std::move(mixed));
  }
  return blend;
}

// The blend of least loss on the images held back: short of the whole way when the steps went too
// far for so few images. Empty when none is better than the student; its loss is then the least
// that was found.
std::map<ValueId, Tensor> Distillation::BestBlend(RepairedUnit& unit) {
  std::map<ValueId, Tensor> best;
  unit.loss_after = std::numeric_limits<double>::infinity();
  for (const int quarters : {4, 3, 2, 1}) {
    std::map<ValueId, Tensor> blend = Blend(quarters / 4.0);
    std::map<ValueId, const Tensor*> pointers;
    for (const auto& [id, tensor] : blend) pointers[id] = &tensor;
    const double loss = HeldBackLoss(pointers);
    if (!(loss < unit.loss_after)) continue;
    unit.loss_after = loss;
    unit.remark = quarters == 4 ? ""
                                : fmt::format(
                                      "{} % of the way to what was learned: the loss on the "
                                      "images held back is least there",
                                      25 * quarters);
    best = std::move(blend);
  }
  if (!(unit.loss_after < unit.loss_before)) best.clear();
  return best;
}

// How many steps an earlier call has taken.
int64_t Distillation::Restore() {
  if (resume_.start || resume_.offer) origin_ = HashGraph(task_.student);
  if (!resume_.start) return 0;
  const TrainingState& start = *resume_.start;
  const std::string obstacle =
      RestorePolish(task_.student, origin_, start, options_.max_count, optimiser_);
  if (!obstacle.empty()) {
    if (!IsSilent()) {
      Warn("{}: polish: the state of an earlier run is of another polish: {}; begins anew",
           task_.title, obstacle);
    }
    return 0;
  }
  earlier_ = start.since_row.seconds;
  if (!IsSilent())
    Note("{}: polish: goes on behind step {} of an earlier run", task_.title, start.step);
  return start.step;
}

void Distillation::Offer(int64_t steps, bool last) const {
  if (!resume_.offer) return;
  const auto state = [&] {
    TrainingState made = StateOfPolish(task_.student, origin_, optimiser_, steps);
    made.since_row.seconds = Elapsed();
    return made;
  };
  resume_.offer(state, last);
}

// One step of the optimiser; the loss before it. None where too few of its images can be read.
std::optional<double> Distillation::Step(int64_t step) {
  {
    const PhaseTimer timer(seconds_, "load");
    batches_.Load(step, batch_);
  }
  if (std::ssize(batch_.labels) < least_) return std::nullopt;  // the dataset has said so
  const double loss = objective_.Loss(batch_.images, parameters_, &gradients_);
  if (!std::isfinite(loss)) return loss;
  const PhaseTimer timer(seconds_, "update");
  optimiser_.Step(gradients_, DistillStepSize(options_, step));
  return loss;
}

// All steps that `steps` lack, and how many there are then; why they ended before the last one, or
// empty.
std::string Distillation::Train(int64_t& steps) {
  std::optional<Progress> progress;
  if (!IsSilent()) progress.emplace(task_.title + ": polish", options_.max_count - steps);
  const int64_t interval = std::max<int64_t>(1, options_.max_count / 10);
  double sum = 0;
  int64_t summed = 0;
  for (int64_t step = steps; step < options_.max_count; ++step) {
    std::optional<double> loss;
    try {
      loss = Step(step);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) Offer(step, true);
      throw;
    }
    if (loss && !std::isfinite(*loss)) {
      return fmt::format("stopped early: the loss is {} at step {}; lower weight_lr", *loss,
                         step + 1);
    }
    sum += loss.value_or(0);
    summed += loss ? 1 : 0;
    steps = step + 1;
    Offer(steps, false);
    if (progress) progress->Advance();
    if (IsSilent() || (step + 1) % interval != 0) continue;
    Verbose("{}: polish: step {}, loss {:.4f} over {} steps", task_.title, step + 1,
            std::exchange(sum, 0) / static_cast<double>(std::max<int64_t>(1, summed)), summed);
    summed = 0;
  }
  return "";
}

void Distillation::Announce() const {
  if (IsSilent()) return;
  Note(
      "{}: polish: {} steps of {} images from {}{}, {} held back; all {} layers together; {} "
      "block outputs",
      task_.title, options_.max_count, batches_.batch(), batches_.training().size(),
      Variation(options_), batches_.held_back().size(), task_.layers.size(),
      objective_.blocks().size());
  if (options_.LayerPrecision() == Precision::kBf16) {
    const std::vector<Shape> shapes = InferShapes(task_.student, objective_.PartSize());
    Note("{}: polish: {}", task_.title, CountBf16Layers(task_.student, task_.layers, shapes));
  }
  if (batches_.batch() != options_.batch) {
    Note("{}: polish: batch {} instead of {}: there are {} images, and the network takes {}",
         task_.title, batches_.batch(), options_.batch, batches_.training().size(),
         least_ > 1 ? fmt::format("multiples of {}", least_) : "any number");
  }
}

RepairedUnit Distillation::Run() {
  RepairedUnit unit;
  unit.name = "polish";
  unit.samples = std::ssize(batches_.training());
  Measure();
  Announce();
  unit.loss_before = HeldBackLoss(parameters_);
  if (!std::isfinite(unit.loss_before)) {
    Fail("polish", "the loss is {} before the first step; an activation of the network overflows",
         unit.loss_before);
  }
  unit.steps = Restore();
  const std::string early_end = Train(unit.steps);
  Offer(unit.steps, true);
  std::map<ValueId, Tensor> best = BestBlend(unit);
  if (!best.empty()) {
    for (auto& [id, tensor] : best) task_.student.mutable_value(id).data = std::move(tensor);
    if (!early_end.empty()) {
      unit.remark = early_end + (unit.remark.empty() ? "" : "; ") + unit.remark;
    }
    if (!IsSilent() && !unit.remark.empty()) Note("{}: polish: {}", task_.title, unit.remark);
    return unit;
  }
  unit.remark = fmt::format(
      "{}{}the weights stay as they were: the loss on the images held back would go from {:.4f} to "
      "{:.4f}; lower weight_lr or give more images",
      early_end, early_end.empty() ? "" : "; ", unit.loss_before, unit.loss_after);
  unit.loss_after = unit.loss_before;
  if (!IsSilent()) Warn("{}: polish: {}", task_.title, unit.remark);
  return unit;
}

std::map<std::string, double> Distillation::Seconds() const {
  std::map<std::string, double> seconds = objective_.Seconds();
  seconds.insert(seconds_.begin(), seconds_.end());
  return seconds;
}

}  // namespace

double DistillStepSize(const DistillOptions& options, int64_t step) {
  const auto t = static_cast<double>(step);
  const double turn = std::numbers::pi * t / static_cast<double>(options.max_count);
  const double rise = step < options.warm_up ? (t + 1) / static_cast<double>(options.warm_up) : 1.0;
  return options.weight_lr * 0.5 * (1 + std::cos(turn)) * rise;
}

RepairResult Distill(const RepairTask& task, const DistillOptions& options,
                     const PolishResume& resume) {
  options.Check("reconstruction.polish");
  CheckPrecision(options.LayerPrecision(), "sparsity.reconstruction.polish.precision");
  DistillationTargets targets = FindTargets(task.student, task.teacher, task.layers);
  RepairResult result;
  RepairedUnit unit;
  const std::string obstacle = FindObstacle(task.student, task.layers, targets);
  if (!obstacle.empty()) {
    unit.name = "polish";
    unit.unrepaired = obstacle;
    if (!task.title.empty()) Warn("{}: no polish: {}", task.title, obstacle);
  } else {
    Distillation distillation(task, options, resume, std::move(targets));
    unit = distillation.Run();
    unit.seconds = distillation.Elapsed();
    result.seconds = distillation.Seconds();
  }
  if (!task.title.empty() && unit.unrepaired.empty()) {
    Note("{}: polish: loss on the images held back {:.4f} → {:.4f} in {}", task.title,
         unit.loss_before, unit.loss_after, FormatSeconds(unit.seconds));
  }
  result.units.push_back(std::move(unit));
  return result;
}

}  // namespace sparsify
