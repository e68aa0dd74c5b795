#include "sparsity/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/text.h"
#include "sparsity/ops/graph_pass.h"
#include "sparsity/training/clip.h"
#include "sparsity/training/losses.h"
#include "sparsity/training/network_parameters.h"
#include "sparsity/training/training_batches.h"

namespace sparsify {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Sums since the last row.
struct Interval {
  Clock::time_point start = Clock::now();
  double loss = 0;
  int64_t correct = 0;
  int64_t images = 0;
  int64_t steps = 0;
};

int64_t CountCorrect(const Tensor& logits, const std::vector<int64_t>& labels) {
  const auto count = std::ssize(labels);
  const int64_t classes = logits.size() / count;
  int64_t correct = 0;
  for (int64_t n = 0; n < count; ++n) {
    const float* row = logits.data() + n * classes;
    correct += std::max_element(row, row + classes) - row == labels[static_cast<size_t>(n)];
  }
  return correct;
}

class Training {
 public:
  Training(const TrainingTask& task, const TrainingOptions& options)
      : task_(task),
        options_(options),
        parameters_(task.graph, task.layers,
                    task.rule != nullptr ? task.sparsity : std::vector<double>{}, task.seed),
        optimizer_(options.Optimizer()),
        pass_(GraphPass::WholeNetwork(task.graph, BatchNormMode::kTraining)) {
    if (task.teacher != nullptr) teacher_.emplace(GraphPass::WholeNetwork(*task.teacher));
    for (const TrainedParameter& parameter : parameters_.all()) {
      optimizer_.Add(parameter.name, parameter.value->shape(), parameter.decays);
      gradients_[parameter.id];
    }
  }

  TrainingResult Run();

 private:
  void Start();
  void Step(const Batch& batch);
  double Loss(const Batch& batch);
  void CheckFinite(double loss);
  std::string FirstNotFinite() const;
  void Update(const StepInfo& info);
  void UpdateStatistics();
  void AddRow();
  void SaveIfDue(bool force);
  TrainingState State() const;
  template <class Body>
  void Time(const char* phase, const Body& body);

  const TrainingTask& task_;
  const TrainingOptions& options_;
  NetworkParameters parameters_;
  Optimizer optimizer_;
  GraphPass pass_;
  std::optional<GraphPass> teacher_;
  std::map<ValueId, Tensor> gradients_;
  Tensor grad_logits_;
  std::vector<int64_t> labels_;
  int64_t step_ = 0;
  int64_t position_ = 0;
  std::vector<TrainingRow> rows_;
  Interval interval_;
  Clock::time_point last_save_ = Clock::now();
  std::map<std::string, double> seconds_;
};

template <class Body>
void Training::Time(const char* phase, const Body& body) {
  const auto start = Clock::now();
  body();
  seconds_[phase] += SecondsSince(start);
}

void Training::Start() {
  if (task_.rule != nullptr) task_.rule->Begin(parameters_.weights(), task_.steps);
  if (!task_.start) return;
  const TrainingState& start = *task_.start;
  parameters_.Restore(start.parameters,
                      start.step > 0 ? start.masks : std::map<std::string, Mask>{});
  optimizer_.SetState(start.optimizer);
  position_ = start.position;
  if (start.step == 0) return;
  if (task_.rule != nullptr) task_.rule->SetState(start.rule);
  step_ = start.step;
  rows_ = start.rows;
}

TrainingState Training::State() const {
  TrainingState state;
  state.step = step_;
  state.position = position_;
  state.parameters = parameters_.Latent();
  state.masks = parameters_.Masks();
  state.optimizer = optimizer_.State();
  if (task_.rule != nullptr) state.rule = task_.rule->State();
  state.rows = rows_;
  return state;
}

void Training::SaveIfDue(bool force) {
  if (task_.state_path.empty()) return;
  if (!force && SecondsSince(last_save_) < options_.save_interval) return;
  Time("save", [&] { SaveTrainingState(State(), task_.state_path); });
  last_save_ = Clock::now();
}

// Labels in the network's numbering, then the loss of the batch, with its gradient.
double Training::Loss(const Batch& batch) {
  const Tensor& logits = pass_.Output(task_.graph.outputs[0].value);
  const int64_t classes = logits.size() / std::ssize(batch.labels);
  labels_ = batch.labels;
  for (size_t n = 0; n < labels_.size(); ++n) {
    if (labels_[n] < 0) Fail(task_.data.NameOf(batch.indices[n]), "has no label to learn from");
    labels_[n] += task_.label_offset;
    if (labels_[n] >= 0 && labels_[n] < classes) continue;
    Fail(task_.data.NameOf(batch.indices[n]), "class {} is outside the network's 0 … {}",
         labels_[n], classes - 1);
  }
  double loss = CrossEntropy(logits, labels_, options_.label_smoothing, &grad_logits_);
  if (teacher_) {
    loss += DistillationLoss(logits, teacher_->Output(task_.teacher->outputs[0].value),
                             options_.distillation->temperature, options_.distillation->weight,
                             &grad_logits_);
  }
  interval_.loss += loss;
  interval_.correct += CountCorrect(logits, labels_);
  interval_.images += std::ssize(labels_);
  return loss;
}

// The first layer whose output of the last forward pass is not finite.
std::string Training::FirstNotFinite() const {
  for (const Layer& layer : task_.layers) {
    if (FirstNonFinite(pass_.Output(task_.graph.node(layer.node).outputs[0])) >= 0) {
      return "the output of layer " + layer.name;
    }
  }
  for (const TrainedParameter& parameter : parameters_.all()) {
    if (FirstNonFinite(gradients_.at(parameter.id)) >= 0)
      return "the gradient of " + parameter.name;
  }
  return "the loss";
}

void Training::CheckFinite(double loss) {
  if (std::isfinite(loss)) return;
  Fail("training", "step {}: {} is not finite; lower training.lr or set training.clip_norm{}",
       step_ + 1, FirstNotFinite(),
       task_.state_path.empty() ? "" : fmt::format(" ({} holds the last state)", task_.state_path));
}

void Training::Update(const StepInfo& info) {
  std::vector<Tensor*> of_weights;
  for (const TrainedWeight& weight : parameters_.weights()) {
    of_weights.push_back(&gradients_.at(parameters_.IdOf(weight.name())));
  }
  if (task_.rule != nullptr && !task_.rule->Backward(info, parameters_.weights(), of_weights)) {
    return;
  }
  std::vector<Tensor*> all;
  for (auto& [id, gradient] : gradients_) all.push_back(&gradient);
  if (options_.clip_norm) CheckFinite(ClipGradients(all, *options_.clip_norm));
  const bool holds = task_.rule != nullptr && task_.rule->HoldsPruned();
  for (size_t i = 0; i < parameters_.all().size(); ++i) {
    const TrainedParameter& parameter = parameters_.all()[i];
    const Tensor* keep = holds && parameter.weight != nullptr ? &parameter.weight->keep() : nullptr;
    optimizer_.Step(i, gradients_.at(parameter.id), info.learning_rate, keep, *parameter.value);
  }
}

void Training::UpdateStatistics() {
  const auto share = static_cast<float>(options_.batch_norm_momentum);
  const auto mix = [share](const Tensor& batch, Tensor& running) {
    for (int64_t c = 0; c < running.size(); ++c) running[c] += share * (batch[c] - running[c]);
  };
  for (const BatchStatistics& statistics : pass_.batch_statistics()) {
    const Node& node = task_.graph.node(statistics.node);
    mix(statistics.mean, task_.graph.mutable_value(node.inputs[3]).data);
    mix(statistics.variance, task_.graph.mutable_value(node.inputs[4]).data);
  }
}

void Training::Step(const Batch& batch) {
  const StepInfo info = {step_, task_.steps, options_.LearningRate(step_, task_.steps)};
  if (task_.rule != nullptr) {
    Time("masks", [&] {
      if (task_.rule->Prepare(info, parameters_.weights()).reset_momentum) {
        optimizer_.ResetMomentum();
      }
    });
  }
  const Graph& graph = task_.graph;
  if (teacher_) {
    Time("teacher", [&] {
      teacher_->Forward({{task_.teacher->inputs[0].value, &batch.images}}, {});
    });
  }
  Time("forward", [&] {
    pass_.Forward({{graph.inputs[0].value, &batch.images}}, parameters_.Overrides());
  });
  const double loss = Loss(batch);
  CheckFinite(loss);
  Time("backward", [&] { pass_.Backward({{graph.outputs[0].value, &grad_logits_}}, gradients_); });
  Time("update", [&] {
    Update(info);
    UpdateStatistics();
  });
}

void Training::AddRow() {
  if (interval_.images == 0) return;
  TrainingRow row;
  row.step = step_;
  row.epoch = static_cast<double>(position_) / static_cast<double>(task_.data.size());
  row.loss = interval_.loss / static_cast<double>(interval_.steps);
  row.top1 = 100 * static_cast<double>(interval_.correct) / static_cast<double>(interval_.images);
  row.learning_rate = options_.LearningRate(step_ - 1, task_.steps);
  row.sparsity = 100 * parameters_.Sparsity();
  row.images_per_second = static_cast<double>(interval_.images) / SecondsSince(interval_.start);
  if (!task_.title.empty()) {
    Verbose("{}: step {}, loss {:.4f}, top-1 {:.2f} %, sparsity {:.2f} %, {:.0f} images/s",
            task_.title, row.step, row.loss, row.top1, row.sparsity, row.images_per_second);
  }
  rows_.push_back(row);
  interval_ = {};
  if (task_.on_row) task_.on_row(rows_);
}

TrainingResult Training::Run() {
  Start();
  TrainingBatches batches(task_.data, options_.batch, options_.augment, task_.seed, position_);
  std::optional<Progress> progress;
  if (!task_.title.empty()) progress.emplace(task_.title, task_.steps - step_);
  interval_ = {};
  while (step_ < task_.steps) {
    if (InterruptRequested()) {
      SaveIfDue(true);
      ThrowIfInterrupted();
    }
    const Batch* batch = nullptr;
    Time("load", [&] { batch = &batches.Next(); });
    if (!batch->labels.empty()) {
      Step(*batch);
      ++interval_.steps;
    }
    position_ = batches.position();
    ++step_;
    if (step_ % options_.log_interval == 0 || step_ == task_.steps) AddRow();
    SaveIfDue(false);
    if (progress) progress->Advance();
  }
  TrainingResult result;
  if (task_.rule != nullptr) task_.rule->Finish(parameters_.weights());
  result.state = State();
  parameters_.Bake();
  result.masks = parameters_.Masks();
  result.seconds = seconds_;
  return result;
}

}  // namespace

TrainingResult Train(const TrainingTask& task, const TrainingOptions& options) {
  return Training(task, options).Run();
}

}  // namespace sparsify
