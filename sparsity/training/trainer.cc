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
#include "sparsity/graph/logits.h"
#include "sparsity/ops/graph_pass.h"
#include "sparsity/training/clip.h"
#include "sparsity/training/data_parallel.h"
#include "sparsity/training/losses.h"
#include "sparsity/training/network_parameters.h"
#include "sparsity/training/training_batches.h"
#include "sparsity/training/training_checks.h"

namespace sparsify {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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
        ranks_(task.ranks != nullptr ? *task.ranks : alone_),
        options_(options),
        input_(task.graph.inputs[0].value),
        scores_(LogitsOf(task.graph)),
        parameters_(task.graph, task.layers,
                    task.rule != nullptr ? task.sparsity : std::vector<double>{}, task.seed),
        optimizer_(options.Optimizer()),
        pass_(GraphPass::WholeNetwork(task.graph, BatchNormMode::kTraining,
                                      options.LayerPrecision())) {
    if (task.teacher != nullptr) {
      teacher_.emplace(
          GraphPass::WholeNetwork(*task.teacher, BatchNormMode::kFrozen, options.LayerPrecision()));
    }
    for (const TrainedParameter& parameter : parameters_.all()) {
      optimizer_.Add(parameter.name, parameter.value->shape(), parameter.decays);
      gradients_[parameter.id];
    }
  }

  TrainingResult Run();

 private:
  void Start();
  void MakeSteps();
  const Batch& NextBatch(TrainingBatches& batches);
  void Step(const Batch& batch);
  const Tensor& BlankImage();
  void Loss(const Batch& batch);
  double LossOfRows(const Batch& batch);
  std::string FirstNotFinite(const Batch& batch) const;
  void CheckGradients() const;
  [[noreturn]] void FailNotFinite(int64_t step, const std::string& what) const;
  void Update(const StepInfo& info);
  void UpdateStatistics();
  void AddRow();
  void SaveIfDue(bool force);
  TrainingState State() const;
  template <class Body>
  void Time(const char* phase, const Body& body);

  const TrainingTask& task_;
  Communicator alone_;
  Communicator& ranks_;
  const TrainingOptions& options_;
  const ValueId input_;
  const ValueId scores_;
  NetworkParameters parameters_;
  Optimizer optimizer_;
  GraphPass pass_;
  std::optional<GraphPass> teacher_;
  std::map<ValueId, Tensor> gradients_;
  Tensor grad_logits_;
  std::vector<int64_t> labels_;
  int64_t batch_images_ = 0;  // of the batch, all ranks'
  Tensor blank_;              // stands for the images where this rank has none
  int64_t step_ = 0;
  int64_t position_ = 0;
  std::vector<TrainingRow> rows_;
  TrainingSums sums_;
  Clock::time_point interval_ = Clock::now();  // sums_.seconds is what was before
  int64_t left_out_ = 0;
  std::optional<int64_t> saved_step_;
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
  const TrainingState none;
  const TrainingState& start = task_.start ? *task_.start : none;
  const bool continued = start.step > 0;
  if (start.step < 0 || start.step > task_.steps || start.position < 0) {
    Fail("training state",
         "is of step {} and image {}, this run has {} steps; it is of another run", start.step,
         start.position, task_.steps);
  }
  if (task_.start) {
    parameters_.RestoreLatent(start.parameters);
    if (continued) parameters_.RestoreMasks(start.masks);
    optimizer_.SetState(start.optimizer);
    position_ = start.position;
  }
  if (task_.rule != nullptr) task_.rule->Begin(parameters_.weights(), task_.steps);
  if (continued) {
    if (task_.rule != nullptr) task_.rule->SetState(start.rule);
    step_ = start.step;
    rows_ = start.rows;
    sums_ = start.since_row;
  }
  if (ranks_.Size() > 1) CheckSameState(ranks_, State(), fmt::format("before step {}", step_ + 1));
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
  state.since_row = sums_;
  state.since_row.seconds += SecondsSince(interval_);
  for (const auto& [name, tensor] : state.parameters) {
    if (!AllFinite(tensor)) FailNotFinite(step_, "parameter " + name);
  }
  return state;
}

void Training::SaveIfDue(bool force) {
  if (task_.state_path.empty()) return;
  if (!force && !ranks_.FirstDecides(SecondsSince(last_save_) >= options_.save_interval)) return;
  Time("save", [&] {
    const TrainingState state = State();
    CheckSameState(ranks_, state, fmt::format("after step {}", step_));
    if (ranks_.IsFirst()) SaveTrainingState(state, task_.state_path);
  });
  last_save_ = Clock::now();
  saved_step_ = step_;
}

// This rank's rows of the next batch that has images, all of them where the network fixes their
// number.
const Batch& Training::NextBatch(TrainingBatches& batches) {
  const bool whole = task_.graph.inputs[0].shape[0] >= 0;
  for (int64_t seen = 0; seen < task_.data.size() + options_.batch; seen += options_.batch) {
    const Batch& batch = batches.Next();
    batch_images_ = ranks_.Sum(std::ssize(batch.labels));
    const bool taken = batch_images_ > 0 && (!whole || batch_images_ == options_.batch);
    left_out_ += taken ? options_.batch - batch_images_ : options_.batch;
    if (taken) return batch;
  }
  Fail("data.training", "in a whole pass over {} images there is no batch {}", task_.data.size(),
       whole ? fmt::format("of {} without a broken image", options_.batch)
             : std::string("with an image that is not broken"));
}

// The loss of the batch, with the gradient of this rank's rows.
void Training::Loss(const Batch& batch) {
  double sums[] = {0, 0};  // loss, correct
  if (batch.labels.empty()) {
    grad_logits_.Resize(pass_.Output(scores_).shape());
    grad_logits_.Fill(0);
  } else {
    sums[0] = LossOfRows(batch);
    if (!std::isfinite(sums[0])) FailNotFinite(step_ + 1, FirstNotFinite(batch));
    sums[1] = static_cast<double>(CountCorrect(pass_.Output(scores_), labels_));
  }
  ranks_.AllReduceSum(sums);
  ++sums_.steps;
  sums_.loss += sums[0];
  sums_.correct += static_cast<int64_t>(sums[1]);
  sums_.images += batch_images_;
}

// Labels in the network's numbering, then the rows' part of the batch's loss, with its gradient.
double Training::LossOfRows(const Batch& batch) {
  const Tensor& logits = pass_.Output(scores_);
  const int64_t classes = logits.size() / std::ssize(batch.labels);
  labels_ = batch.labels;
  for (size_t n = 0; n < labels_.size(); ++n) {
    const int64_t label = labels_[n];
    if (label < 0) {
      Fail(task_.data.NameOf(batch.indices[n]), "has no label; training needs one for every image");
    }
    labels_[n] += task_.label_offset;
    if (labels_[n] >= 0 && labels_[n] < classes) continue;
    Fail(task_.data.NameOf(batch.indices[n]),
         "label {} with label_offset {} is class {}, the network has {} classes (0 … {}); check "
         "data.transform.label_offset and the labels",
         label, task_.label_offset, labels_[n], classes, classes - 1);
  }
  double loss =
      CrossEntropy(logits, labels_, options_.label_smoothing, &grad_logits_, batch_images_);
  if (teacher_) {
    loss += DistillationLoss(logits, teacher_->Output(LogitsOf(*task_.teacher)),
                             options_.distillation->temperature, options_.distillation->weight,
                             &grad_logits_, batch_images_);
  }
  return loss;
}

// What the loss was computed from, the earliest first.
std::string Training::FirstNotFinite(const Batch& batch) const {
  const int64_t image = FirstNonFinite(batch.images);
  if (image >= 0) {
    const int64_t row = image / task_.data.image_shape().NumElements();
    return "image " + task_.data.NameOf(batch.indices[static_cast<size_t>(row)]);
  }
  for (const Layer& layer : task_.layers) {
    if (!AllFinite(pass_.Output(task_.graph.node(layer.node).outputs[0]))) {
      return "the output of layer " + layer.name;
    }
  }
  if (!AllFinite(pass_.Output(scores_))) return "the network's output";
  if (teacher_ && !AllFinite(teacher_->Output(LogitsOf(*task_.teacher)))) {
    return "the teacher's output";
  }
  return "the loss";
}

void Training::CheckGradients() const {
  for (const TrainedParameter& parameter : parameters_.all()) {
    if (AllFinite(gradients_.at(parameter.id))) continue;
    FailNotFinite(step_ + 1, "the gradient of " + parameter.name);
  }
}

void Training::FailNotFinite(int64_t step, const std::string& what) const {
  Fail("training", "step {}: {} is not finite; lower training.lr or training.clip_norm{}", step,
       what,
       saved_step_
           ? fmt::format(" ({} holds the state after step {})", task_.state_path, *saved_step_)
           : std::string());
}

void Training::Update(const StepInfo& info) {
  CheckGradients();
  std::vector<Tensor*> of_weights;
  for (const TrainedWeight& weight : parameters_.weights()) {
    of_weights.push_back(&gradients_.at(parameters_.IdOf(weight.name())));
  }
  if (task_.rule != nullptr && !task_.rule->Backward(info, parameters_.weights(), of_weights)) {
    return;
  }
  if (options_.clip_norm) {
    std::vector<Tensor*> all;
    for (auto& [id, gradient] : gradients_) all.push_back(&gradient);
    if (!std::isfinite(ClipGradients(all, *options_.clip_norm))) CheckGradients();
  }
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
  const bool has_rows = !batch.labels.empty();
  const Tensor& images = has_rows ? batch.images : BlankImage();
  if (teacher_ && has_rows) {
    Time("teacher", [&] { teacher_->Forward({{task_.teacher->inputs[0].value, &images}}, {}); });
  }
  pass_.Share({&ranks_, !has_rows});
  Time("forward", [&] { pass_.Forward({{input_, &images}}, parameters_.Overrides()); });
  Loss(batch);
  Time("backward", [&] { pass_.Backward({{scores_, &grad_logits_}}, gradients_); });
  Time("exchange", [&] { SumGradients(ranks_, has_rows, gradients_); });
  Time("update", [&] {
    Update(info);
    UpdateStatistics();
  });
}

// A rank without images goes through the step on this one, which counts for nothing.
const Tensor& Training::BlankImage() {
  if (blank_.empty()) {
    std::vector<int64_t> dims = task_.data.image_shape().dims();
    dims.insert(dims.begin(), 1);
    blank_.Resize(Shape(dims));
    blank_.Fill(0);
  }
  return blank_;
}

void Training::AddRow() {
  const auto images = static_cast<double>(sums_.images);
  TrainingRow row;
  row.step = step_;
  row.epoch = static_cast<double>(position_) / static_cast<double>(task_.data.size());
  row.loss = sums_.loss / static_cast<double>(sums_.steps);
  row.top1 = 100 * static_cast<double>(sums_.correct) / images;
  row.learning_rate = options_.LearningRate(step_ - 1, task_.steps);
  row.sparsity = 100 * parameters_.Sparsity();
  row.images_per_second = images / (sums_.seconds + SecondsSince(interval_));
  if (!task_.title.empty()) {
    Verbose("{}: step {}, loss {:.4f}, top-1 {:.2f} %, sparsity {:.2f} %, {:.0f} images/s",
            task_.title, row.step, row.loss, row.top1, row.sparsity, row.images_per_second);
  }
  rows_.push_back(row);
  sums_ = {};
  interval_ = Clock::now();
  if (task_.on_row) task_.on_row(rows_);
}

void Training::MakeSteps() {
  TrainingBatches batches(task_.data, options_.batch, options_.augment, task_.seed, position_,
                          RowsOfRank(options_.batch, ranks_));
  std::optional<Progress> progress;
  if (!task_.title.empty()) progress.emplace(task_.title, task_.steps - step_);
  interval_ = Clock::now();
  while (step_ < task_.steps) {
    if (ranks_.AnyOf(InterruptRequested())) {
      SaveIfDue(true);
      ThrowInterrupted();
    }
    const Batch* batch = nullptr;
    Time("load", [&] { batch = &NextBatch(batches); });
    Step(*batch);
    position_ = batches.position();
    ++step_;
    if (step_ % options_.log_interval == 0 || step_ == task_.steps) AddRow();
    SaveIfDue(false);
    if (progress) progress->Advance();
  }
}

TrainingResult Training::Run() {
  Start();
  if (step_ < task_.steps) MakeSteps();
  if (left_out_ > 0 && ranks_.IsFirst()) {
    Warn(
        "training: {} times an image was left out of a batch because it, or one beside it, is "
        "broken",
        left_out_);
  }
  TrainingResult result;
  if (task_.rule != nullptr) task_.rule->Finish(parameters_.weights());
  result.state = State();
  CheckSameState(ranks_, result.state, "at the end");
  parameters_.Bake();
  result.masks = parameters_.Masks();
  result.seconds = seconds_;
  return result;
}

}  // namespace

TrainingResult Train(const TrainingTask& task, const TrainingOptions& options) {
  CheckTraining(task, options);
  return Training(task, options).Run();
}

}  // namespace sparsify
