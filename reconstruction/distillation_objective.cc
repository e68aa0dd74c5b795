#include "reconstruction/distillation_objective.h"

#include <algorithm>
#include <utility>

#include "reconstruction/distillation_loss.h"
#include "reconstruction/phase_timer.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"
#include "sparsity/training/losses.h"

namespace sparsify {
namespace {

// Rows [first, first + count) of the first dimension.
void CopyRows(const Tensor& from, int64_t first, int64_t count, Tensor& to) {
  std::vector<int64_t> dims = from.shape().dims();
  const int64_t size = from.size() / dims[0];
  dims[0] = count;
  to.Resize(Shape(dims));
  std::copy_n(from.data() + first * size, count * size, to.data());
}

void AddTo(Tensor& sum, const Tensor& term) {
  for (int64_t i = 0; i < sum.size(); ++i) sum[i] += term[i];
}

}  // namespace

DistillationObjective::DistillationObjective(const Graph& student, const Graph& teacher,
                                             const std::vector<Layer>& layers,
                                             DistillationTargets targets, const Options& options)
    : student_graph_(student),
      teacher_graph_(teacher),
      targets_(std::move(targets)),
      options_(options),
      fixed_batch_(std::max<int64_t>(0, student.inputs[0].shape[0])) {
  for (const Layer& layer : layers) layer_outputs_.push_back(teacher.node(layer.node).outputs[0]);
}

template <class Body>
size_t DistillationObjective::ForParts(const Tensor& images, const Body& body) {
  const int64_t count = images.shape()[0];
  const int64_t size = PartSize();
  const int64_t used = fixed_batch_ > 0 ? count / size * size : count;
  const int64_t parts = (used + size - 1) / size;
  const int64_t workers = std::min<int64_t>(Threads(), parts);
  while (std::ssize(workers_) < workers) {
    const auto pass = [&](const Graph& graph) {
      return GraphPass::WholeNetwork(graph, BatchNormMode::kFrozen, options_.precision);
    };
    workers_.push_back(std::make_unique<Worker>(pass(student_graph_), pass(teacher_graph_)));
  }
  ParallelFor(workers, [&](int64_t k) {
    SetThreads(1);  // of this worker, until it ends: the operators run on its thread
    Worker& worker = *workers_[static_cast<size_t>(k)];
    for (int64_t first = k * size; first < used; first += workers * size) {
      ThrowIfInterrupted();
      CopyRows(images, first, std::min(size, used - first), worker.part);
      body(worker, static_cast<size_t>(k), used);
    }
  });
  return static_cast<size_t>(workers);
}

void DistillationObjective::RunTeacher(Worker& worker) const {
  const PhaseTimer timer(worker.seconds, "teacher");
  worker.teacher.Forward({{teacher_graph_.inputs[0].value, &worker.part}}, {});
}

std::vector<Spread> DistillationObjective::Measure(const Tensor& images) {
  // Of each worker: the blocks', then the layers', then the logits'.
  std::vector<ValueId> ids;
  for (const Compared& block : targets_.blocks) ids.push_back(block.teacher);
  ids.insert(ids.end(), layer_outputs_.begin(), layer_outputs_.end());
  ids.push_back(targets_.logits.teacher);
  std::vector<std::vector<Spread>> of_workers(static_cast<size_t>(Threads()),
                                              std::vector<Spread>(ids.size()));
  const size_t workers = ForParts(images, [&](Worker& worker, size_t k, int64_t /*used*/) {
    RunTeacher(worker);
    for (size_t i = 0; i < ids.size(); ++i) of_workers[k][i].Add(worker.teacher.Output(ids[i]));
  });
  std::vector<Spread> spreads(ids.size());
  for (size_t k = 0; k < workers; ++k) {
    for (size_t i = 0; i < ids.size(); ++i) spreads[i].Add(of_workers[k][i]);
  }
  const size_t block_count = targets_.blocks.size();
  std::vector<Compared> varying;
  for (size_t i = 0; i < block_count; ++i) {
    const double variance = spreads[i].Variance();
    if (variance == 0) {
      dropped_.push_back(targets_.blocks[i].name);
    } else {
      varying.push_back(targets_.blocks[i]);
      variances_.push_back(variance);
    }
  }
  targets_.blocks = std::move(varying);
  MeasureLogits(spreads.back().Variance());
  return {spreads.begin() + static_cast<int64_t>(block_count), spreads.end() - 1};
}

void DistillationObjective::MeasureLogits(double variance) {
  if (!options_.squared_logits) return;
  if (variance > 0) {
    logits_variance_ = variance;
  } else {
    dropped_.push_back(targets_.logits.name);
    options_.logits_weight = 0;
  }
}

double DistillationObjective::CompareLogits(Worker& worker, double share, Tensor* gradient) const {
  const Tensor& output = worker.student.Output(targets_.logits.student);
  const Tensor& target = worker.teacher.Output(targets_.logits.teacher);
  const auto images = static_cast<double>(output.shape()[0]);
  if (options_.squared_logits) {
    const double terms = static_cast<double>(output.size()) / images * logits_variance_;
    return SquaredLoss(output, target, options_.logits_weight * share / terms, gradient);
  }
  if (gradient != nullptr) {
    gradient->Resize(output.shape());
    gradient->Fill(0);
  }
  return DistillationLoss(output, target, /*temperature=*/1,
                          options_.logits_weight * share * images, gradient);
}

// The networks are alike, and what they give lies alike: elements are compared where they are.
double DistillationObjective::CompareBlock(Worker& worker, size_t block, double share,
                                           Gradients* gradients) const {
  const auto [name, student, teacher] = targets_.blocks[block];
  const bool blocked = worker.student.LiesInBlocks(student);
  const Tensor& target = worker.teacher.Output(teacher, blocked);
  const auto terms =
      static_cast<double>(target.size() / target.shape()[0] * std::ssize(targets_.blocks));
  Tensor& gradient = worker.target_gradients[student];
  if (gradients != nullptr) gradients->emplace(student, LaidOut(&gradient, blocked));
  return SquaredLoss(worker.student.Output(student, blocked), target,
                     options_.block_weight * share / (terms * variances_[block]),
                     gradients == nullptr ? nullptr : &gradient);
}

// The loss of the worker's last forward passes, of which a whole image counts `share`, and where
// the gradients of what is compared lie.
double DistillationObjective::CompareOutputs(Worker& worker, double share,
                                             Gradients* gradients) const {
  double loss = 0;
  if (options_.logits_weight > 0) {
    const ValueId id = targets_.logits.student;
    Tensor& gradient = worker.target_gradients[id];
    if (gradients != nullptr) gradients->emplace(id, &gradient);
    loss += CompareLogits(worker, share, gradients == nullptr ? nullptr : &gradient);
  }
  if (options_.block_weight == 0) return loss;
  for (size_t i = 0; i < targets_.blocks.size(); ++i) {
    loss += CompareBlock(worker, i, share, gradients);
  }
  return loss;
}

// Adds the worker's part to its loss and, for the keys of `wanted`, to its gradients.
void DistillationObjective::AddPart(Worker& worker, double share, const Pointers& parameters,
                                    const std::map<ValueId, Tensor>* wanted) const {
  RunTeacher(worker);
  {
    const PhaseTimer timer(worker.seconds, "student forward");
    worker.student.Forward({{student_graph_.inputs[0].value, &worker.part}}, parameters);
  }
  const PhaseTimer timer(worker.seconds, "backward");
  Gradients of_targets;
  worker.loss += CompareOutputs(worker, share, wanted == nullptr ? nullptr : &of_targets);
  if (wanted == nullptr) return;
  const bool add = std::exchange(worker.has_gradients, true);
  std::map<ValueId, Tensor>& gradients = add ? worker.part_gradients : worker.gradients;
  for (const auto& [id, gradient] : *wanted) gradients[id];
  worker.student.Backward(of_targets, gradients);
  if (!add) return;
  for (auto& [id, sum] : worker.gradients) AddTo(sum, worker.part_gradients.at(id));
}

double DistillationObjective::Loss(const Tensor& images, const Pointers& parameters,
                                   std::map<ValueId, Tensor>* gradients) {
  for (const auto& worker : workers_) {
    worker->loss = 0;
    worker->has_gradients = false;
  }
  const size_t workers = ForParts(images, [&](Worker& worker, size_t /*k*/, int64_t used) {
    AddPart(worker, 1.0 / static_cast<double>(used), parameters, gradients);
  });
  double loss = 0;
  for (size_t k = 0; k < workers; ++k) loss += workers_[k]->loss;
  if (gradients != nullptr && workers > 0) SumGradients(workers, *gradients);
  return loss;
}

// The gradients of the first workers together, in their order.
void DistillationObjective::SumGradients(size_t workers,
                                         std::map<ValueId, Tensor>& gradients) const {
  std::vector<ValueId> ids;
  for (const auto& [id, gradient] : gradients) ids.push_back(id);
  ParallelFor(std::ssize(ids), [&](int64_t i) {
    const ValueId id = ids[static_cast<size_t>(i)];
    Tensor& sum = gradients.at(id);
    sum = workers_[0]->gradients.at(id);
    for (size_t k = 1; k < workers; ++k) AddTo(sum, workers_[k]->gradients.at(id));
  });
}

std::map<std::string, double> DistillationObjective::Seconds() const {
  std::map<std::string, double> seconds;
  for (const auto& worker : workers_) {
    for (const auto& [phase, time] : worker->seconds) {
      seconds[phase] += time / static_cast<double>(workers_.size());
    }
  }
  return seconds;
}

}  // namespace sparsify
