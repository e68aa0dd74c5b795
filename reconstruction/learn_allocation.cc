#include "reconstruction/learn_allocation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numbers>
#include <optional>
#include <utility>

#include "reconstruction/distillation_batches.h"
#include "reconstruction/distillation_objective.h"
#include "reconstruction/distillation_targets.h"
#include "reconstruction/weight_ranking.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"
#include "sparsity/mask/selection.h"
#include "sparsity/training/adam.h"

namespace sparsify {
namespace {

using Clock = std::chrono::steady_clock;

// Σ weights·values / Σ weights.
double WeightedMean(const std::vector<double>& values, const std::vector<double>& weights) {
  double sum = 0;
  double all = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += weights[i] * values[i];
    all += weights[i];
  }
  return sum / all;
}

// A layer that learns how much of it goes.
struct LearnedLayer {
  size_t layer = 0;
  ValueId weight = kNoValue;
  WeightRanking ranking;
  int64_t pruned = 0;  // of the masked weight
};

class AllocationLearner {
 public:
  AllocationLearner(const LearnAllocationTask& task, const AllocationOptions& options,
                    DistillationTargets targets)
      : task_(task),
        options_(options),
        least_(std::max<int64_t>(1, task.graph.inputs[0].shape[0])),
        batches_(task.calibration, {.batch = options.fcpts_batch, .augment = false}, least_,
                 task.seed),
        objective_(task.graph, task.graph, task.layers, std::move(targets),
                   {.squared_logits = false}) {}

  LearnedAllocation Run();

 private:
  using Sparsities = std::vector<double>;  // of learned_

  void AddLayers();
  void LimitSparsities();
  void LoadHeldBack();
  Sparsities Start(LearnedAllocation& result);
  void Mask(const Sparsities& sparsity);
  double HeldBackLoss(const Sparsities& sparsity);
  Tensor SparsityGradients() const;
  void AddPenalty(const Sparsities& sparsity, Tensor& gradient);
  double Step(int64_t step, double rate, Adam& adam, Sparsities& sparsity);
  std::string Learn(Sparsities& sparsity);
  void Keep(const Sparsities& sparsity, LearnedAllocation& result) const;
  void Announce() const;
  bool IsSilent() const { return task_.title.empty(); }

  const LearnAllocationTask& task_;
  const AllocationOptions& options_;
  const int64_t least_;  // images that the network takes: its own batch size, or 1
  DistillationBatches batches_;
  DistillationObjective objective_;
  std::vector<LearnedLayer> learned_;
  std::vector<double> counts_;  // weights of each
  std::vector<double> most_;    // sparsity of each
  std::map<ValueId, Tensor> masked_;
  std::map<ValueId, const Tensor*> parameters_;  // masked_
  std::map<ValueId, Tensor> gradients_;
  Batch held_back_;
  Batch batch_;
  double slope_ = 0;  // running mean of |Σ ∂L/∂sₗ|
};

void AllocationLearner::AddLayers() {
  std::vector<size_t> selected;
  for (size_t i = 0; i < task_.layers.size(); ++i) {
    if (task_.skipped[i].empty()) selected.push_back(i);
  }
  std::vector<std::optional<WeightRanking>> rankings(selected.size());
  ParallelFor(std::ssize(selected), [&](int64_t k) {
    const auto at = static_cast<size_t>(k);
    const ValueId weight = task_.layers[selected[at]].weight;
    rankings[at].emplace(task_.graph.value(weight).data, task_.row_normalized);
  });
  for (size_t at = 0; at < selected.size(); ++at) {
    const Layer& layer = task_.layers[selected[at]];
    counts_.push_back(static_cast<double>(layer.parameters));
    parameters_[layer.weight] = &(masked_[layer.weight] = task_.graph.value(layer.weight).data);
    gradients_[layer.weight];
    learned_.push_back({selected[at], layer.weight, *std::move(rankings[at]), 0});
  }
}

// No layer loses its last weight, where the target can do without.
void AllocationLearner::LimitSparsities() {
  const double cap = options_.max_layer_sparsity;
  for (const LearnedLayer& layer : learned_) {
    most_.push_back(std::min(cap, 1 - 1 / static_cast<double>(layer.ranking.size())));
  }
  if (WeightedMean(most_, counts_) < task_.sparsity) most_.assign(learned_.size(), cap);
}

void AllocationLearner::LoadHeldBack() {
  LoadBatch(task_.calibration, batches_.held_back(), held_back_);
  const auto count = std::ssize(held_back_.labels);
  if (count < least_) {
    Fail("data.calibration",
         "{} of the {} images held back to judge the allocation can be read, too few", count,
         batches_.held_back().size());
  }
  objective_.Measure(held_back_.images);
}

// The better of ERK and Uniform, within the limits.
AllocationLearner::Sparsities AllocationLearner::Start(LearnedAllocation& result) {
  AllocationOptions erk = options_;
  erk.type = "ERK";
  const auto targets = Allocate(task_.graph, task_.layers, task_.skipped, task_.sparsity, erk);
  Sparsities best;
  for (const LearnedLayer& layer : learned_) best.push_back(targets[layer.layer].sparsity);
  best = ShiftToTarget(best, counts_, most_, task_.sparsity);
  Sparsities other =
      ShiftToTarget(Sparsities(best.size(), task_.sparsity), counts_, most_, task_.sparsity);
  double best_loss = HeldBackLoss(best);
  double other_loss = HeldBackLoss(other);
  const bool is_uniform = other_loss < best_loss || !std::isfinite(best_loss);
  if (is_uniform) {
    std::swap(best, other);
    std::swap(best_loss, other_loss);
  }
  if (!std::isfinite(best_loss)) {
    Fail("FCPTS", "the loss is {} before the first step; an activation of the network overflows",
         best_loss);
  }
  result.start = is_uniform ? "Uniform" : "ERK";
  result.start_loss = result.loss = best_loss;
  if (!IsSilent()) {
    Note("{}: starts from {}, loss {:.4f}; {} has {:.4f}", task_.title, result.start, best_loss,
         is_uniform ? "ERK" : "Uniform", other_loss);
  }
  return best;
}

// Masks every weight as its sparsity says; only the ranks between the old and the new are touched.
void AllocationLearner::Mask(const Sparsities& sparsity) {
  ParallelFor(std::ssize(learned_), [&](int64_t k) {
    LearnedLayer& layer = learned_[static_cast<size_t>(k)];
    const WeightRanking& ranking = layer.ranking;
    const Tensor& dense = task_.graph.value(layer.weight).data;
    Tensor& masked = masked_.at(layer.weight);
    const int64_t pruned = PruneCount(ranking.size(), sparsity[static_cast<size_t>(k)]);
    for (int64_t rank = layer.pruned; rank < pruned; ++rank) masked[ranking.Index(rank)] = 0;
    for (int64_t rank = pruned; rank < layer.pruned; ++rank) {
      masked[ranking.Index(rank)] = dense[ranking.Index(rank)];
    }
    layer.pruned = pruned;
  });
}

double AllocationLearner::HeldBackLoss(const Sparsities& sparsity) {
  Mask(sparsity);
  return objective_.Loss(held_back_.images, parameters_, nullptr);
}

Tensor AllocationLearner::SparsityGradients() const {
  constexpr int64_t kShare = 20;  // of the weights, around the threshold
  constexpr int64_t kLeast = 32;
  Tensor result{Shape{std::ssize(learned_)}};
  ParallelFor(std::ssize(learned_), [&](int64_t k) {
    const LearnedLayer& layer = learned_[static_cast<size_t>(k)];
    const int64_t near = std::max(kLeast, layer.ranking.size() / kShare);
    const ThresholdWindow window = layer.ranking.Near(layer.pruned, near);
    result[k] =
        static_cast<float>(layer.ranking.SparsityGradient(window, gradients_.at(layer.weight)));
  });
  return result;
}

// Adds λ·nₗ/Σn with the sign of the excess.
void AllocationLearner::AddPenalty(const Sparsities& sparsity, Tensor& gradient) {
  constexpr double kMemory = 0.9;
  double sum = 0;
  double all = 0;
  for (int64_t k = 0; k < gradient.size(); ++k) sum += gradient[k];
  for (const double count : counts_) all += count;
  slope_ = slope_ == 0 ? std::abs(sum) : kMemory * slope_ + (1 - kMemory) * std::abs(sum);
  const double excess = WeightedMean(sparsity, counts_) - task_.sparsity;
  const double penalty = options_.fcpts_weight * slope_ * (excess > 0 ? 1 : excess < 0 ? -1 : 0);
  for (int64_t k = 0; k < gradient.size(); ++k) {
    gradient[k] += static_cast<float>(penalty * counts_[static_cast<size_t>(k)] / all);
  }
}

// One step at `rate`; the loss before it, and no step where that is not finite.
double AllocationLearner::Step(int64_t step, double rate, Adam& adam, Sparsities& sparsity) {
  batches_.Load(step, batch_);
  if (std::ssize(batch_.labels) < least_) return 0;  // broken: the dataset has said so
  Mask(sparsity);
  const double loss = objective_.Loss(batch_.images, parameters_, &gradients_);
  if (!std::isfinite(loss)) return loss;
  Tensor gradient = SparsityGradients();
  AddPenalty(sparsity, gradient);
  Tensor values(gradient.shape());
  for (int64_t k = 0; k < values.size(); ++k) {
    values[k] = static_cast<float>(sparsity[static_cast<size_t>(k)]);
  }
  adam.Step(gradient, rate, {}, values);
  for (int64_t k = 0; k < values.size(); ++k) {
    const auto at = static_cast<size_t>(k);
    sparsity[at] = std::clamp(double{values[k]}, 0.0, most_[at]);
  }
  return loss;
}

// All steps; why they ended before the last one, or empty.
std::string AllocationLearner::Learn(Sparsities& sparsity) {
  const int64_t steps = options_.fcpts_steps;
  std::optional<Progress> progress;
  if (!IsSilent()) progress.emplace(task_.title, steps);
  Adam adam(std::ssize(sparsity));
  for (int64_t step = 0; step < steps; ++step) {
    const double turn = std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps);
    const double rate = options_.fcpts_lr * 0.5 * (1 + std::cos(turn));
    const double loss = Step(step, rate, adam, sparsity);
    if (!std::isfinite(loss)) {
      return fmt::format("stopped early: the loss is {} at step {}; lower fcpts_lr", loss,
                         step + 1);
    }
    if (progress) progress->Advance();
  }
  return "";
}

void AllocationLearner::Keep(const Sparsities& sparsity, LearnedAllocation& result) const {
  result.sparsity.assign(task_.layers.size(), 0);
  for (size_t k = 0; k < sparsity.size(); ++k) {
    result.sparsity[learned_[k].layer] = sparsity[k];
  }
}

void AllocationLearner::Announce() const {
  if (IsSilent()) return;
  Note("{}: the sparsities of {} layers learn for {} steps of {} images from {}, {} held back",
       task_.title, std::count(task_.skipped.begin(), task_.skipped.end(), ""),
       options_.fcpts_steps, batches_.batch(), batches_.training().size(),
       batches_.held_back().size());
  if (batches_.batch() != options_.fcpts_batch) {
    Note("{}: batch {} instead of {}, a multiple of the network's own {}", task_.title,
         batches_.batch(), options_.fcpts_batch, least_);
  }
  for (const std::string& name : objective_.dropped()) {
    Note("{}: block output \"{}\" is constant in the dense network and left out of the loss",
         task_.title, name);
  }
}

LearnedAllocation AllocationLearner::Run() {
  const auto begin = Clock::now();
  LearnedAllocation result;
  AddLayers();
  LimitSparsities();
  LoadHeldBack();
  Announce();
  const Sparsities start = Start(result);
  Keep(start, result);
  Sparsities learned = start;
  result.remark = Learn(learned);
  result.reached = WeightedMean(learned, counts_);
  learned = ShiftToTarget(learned, counts_, most_, task_.sparsity);
  const double loss = HeldBackLoss(learned);
  const bool is_better = loss < result.start_loss;
  if (!IsSilent()) {
    Note(
        "{}: loss on the images held back {:.4f} → {:.4f} in {}; {:.2f} % before the last shift "
        "to {:.2f} %",
        task_.title, result.start_loss, loss,
        FormatSeconds(std::chrono::duration<double>(Clock::now() - begin).count()),
        100 * result.reached, 100 * task_.sparsity);
  }
  if (is_better) {
    Keep(learned, result);
    result.loss = loss;
  } else {
    result.remark += fmt::format(
        "{}the {} allocation stays: the loss on the images held back would go from {:.4f} to "
        "{:.4f}; lower fcpts_lr, or give more steps or images",
        result.remark.empty() ? "" : "; ", result.start, result.start_loss, loss);
  }
  if (!IsSilent() && !result.remark.empty()) Warn("{}: {}", task_.title, result.remark);
  return result;
}

void CheckTask(const LearnAllocationTask& task) {
  const Graph& graph = task.graph;
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    FailUsage("allocation.type",
              "FCPTS needs a network with one input and one output, {} has {} and {}; choose "
              "another type",
              graph.name, graph.inputs.size(), graph.outputs.size());
  }
  const int64_t needed = 2 * std::max<int64_t>(1, graph.inputs[0].shape[0]);
  if (task.calibration.size() < needed) {
    FailUsage("data.calibration",
              "{} images; FCPTS needs at least {}, half of them to judge what it has learned",
              task.calibration.size(), needed);
  }
  for (size_t i = 0; i < task.layers.size(); ++i) {
    if (!task.skipped[i].empty()) continue;
    const Tensor& weight = graph.value(task.layers[i].weight).data;
    const int64_t bad = FirstNonFinite(weight);
    if (bad < 0) continue;
    Fail(task.layers[i].name,
         "weight of shape {} holds {} at flat index {}; repair the model first",
         weight.shape().ToString(), weight[bad], bad);
  }
}

}  // namespace

std::vector<double> ShiftToTarget(const std::vector<double>& sparsity,
                                  const std::vector<double>& weights,
                                  const std::vector<double>& most, double target) {
  const auto shifted = [&](double by) {
    std::vector<double> result;
    for (size_t i = 0; i < sparsity.size(); ++i) {
      result.push_back(std::clamp(sparsity[i] + by, 0.0, most[i]));
    }
    return result;
  };
  double low = -1;
  double high = 1;
  constexpr int kSteps = 60;  // to the last bit
  for (int step = 0; step < kSteps; ++step) {
    const double middle = (low + high) / 2;
    (WeightedMean(shifted(middle), weights) < target ? low : high) = middle;
  }
  return shifted(high);
}

LearnedAllocation LearnAllocation(const LearnAllocationTask& task,
                                  const AllocationOptions& options) {
  CheckTask(task);
  AllocationOptions erk = options;
  erk.type = "ERK";  // checks the arguments, and that the target can be reached
  const auto targets = Allocate(task.graph, task.layers, task.skipped, task.sparsity, erk);
  if (task.sparsity == 0) {
    LearnedAllocation nothing;
    nothing.sparsity.assign(targets.size(), 0);
    nothing.remark = "sparsity 0 leaves nothing to learn";
    return nothing;
  }
  DistillationTargets compared = FindTargets(task.graph, task.graph, task.layers);
  const std::string obstacle = FindObstacle(task.graph, task.layers, compared);
  if (!obstacle.empty()) {
    FailUsage("allocation.type",
              "FCPTS learns by gradients, and {}; choose another type, e.g. Sensitivity", obstacle);
  }
  return AllocationLearner(task, options, std::move(compared)).Run();
}

}  // namespace sparsify
