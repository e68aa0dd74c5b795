#include "reconstruction/distillation_objective.h"

#include <algorithm>
#include <utility>

#include "reconstruction/distillation_loss.h"
#include "reconstruction/phase_timer.h"
#include "reconstruction/unit.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

Unit WholeNetwork(const Graph& graph, const std::vector<Layer>& layers) {
  return FindUnits(graph, layers, UnitPattern::kNetwork).front();
}

// Rows [first, first + count) of the first dimension.
void CopyRows(const Tensor& from, int64_t first, int64_t count, Tensor& to) {
  std::vector<int64_t> dims = from.shape().dims();
  const int64_t size = from.size() / dims[0];
  dims[0] = count;
  to.Resize(Shape(dims));
  std::copy_n(from.data() + first * size, count * size, to.data());
}

void AddTo(Tensor& sum, const Tensor& term) {
  constexpr int64_t kChunk = 1 << 14;
  ParallelFor((sum.size() + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t end = std::min(sum.size(), (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) sum[i] += term[i];
  });
}

}  // namespace

DistillationObjective::DistillationObjective(const Graph& student, const Graph& teacher,
                                             const std::vector<Layer>& layers,
                                             DistillationTargets targets, const Weights& weights)
    : student_graph_(student),
      teacher_graph_(teacher),
      targets_(std::move(targets)),
      weights_(weights),
      fixed_batch_(std::max<int64_t>(0, student.inputs[0].shape[0])),
      student_(student, WholeNetwork(student, layers)),
      teacher_(teacher, WholeNetwork(teacher, layers)) {
  for (const Layer& layer : layers) layer_outputs_.push_back(teacher.node(layer.node).outputs[0]);
}

template <class Body>
void DistillationObjective::ForParts(const Tensor& images, const Body& body) {
  const int64_t count = images.shape()[0];
  const int64_t size = fixed_batch_ > 0 ? fixed_batch_ : kPart;
  const int64_t used = fixed_batch_ > 0 ? count / size * size : count;
  for (int64_t first = 0; first < used; first += size) {
    ThrowIfInterrupted();
    CopyRows(images, first, std::min(size, used - first), part_);
    body(part_, used);
  }
}

void DistillationObjective::RunTeacher(const Tensor& part) {
  const PhaseTimer timer(seconds_, "teacher");
  teacher_.Forward({{teacher_graph_.inputs[0].value, &part}}, {});
}

std::vector<Spread> DistillationObjective::Measure(const Tensor& images) {
  std::vector<Spread> of_blocks(targets_.blocks.size());
  std::vector<Spread> of_layers(layer_outputs_.size());
  ForParts(images, [&](const Tensor& part, int64_t /*used*/) {
    RunTeacher(part);
    for (size_t i = 0; i < of_blocks.size(); ++i) {
      of_blocks[i].Add(teacher_.Output(targets_.blocks[i].teacher));
    }
    for (size_t i = 0; i < of_layers.size(); ++i) {
      of_layers[i].Add(teacher_.Output(layer_outputs_[i]));
    }
  });
  std::vector<Compared> varying;
  for (size_t i = 0; i < of_blocks.size(); ++i) {
    const double variance = of_blocks[i].Variance();
    if (variance == 0) {
      dropped_.push_back(targets_.blocks[i].name);
    } else {
      varying.push_back(targets_.blocks[i]);
      variances_.push_back(variance);
    }
  }
  targets_.blocks = std::move(varying);
  return of_layers;
}

// The loss of the last forward passes, of which a whole image counts `share`, and where the
// gradients of what is compared lie.
double DistillationObjective::CompareOutputs(double share, Pointers* gradients) {
  const auto gradient_of = [&](ValueId id) -> Tensor* {
    if (gradients == nullptr) return nullptr;
    Tensor& gradient = target_gradients_[id];
    gradients->emplace(id, &gradient);
    return &gradient;
  };
  double loss = 0;
  if (weights_.logits > 0) {
    const Compared& logits = targets_.logits;
    loss += DivergenceLoss(student_.Output(logits.student), teacher_.Output(logits.teacher),
                           weights_.logits * share, gradient_of(logits.student));
  }
  if (weights_.blocks == 0) return loss;
  for (size_t i = 0; i < targets_.blocks.size(); ++i) {
    const Compared& block = targets_.blocks[i];
    const Tensor& target = teacher_.Output(block.teacher);
    const auto terms =
        static_cast<double>(target.size() / target.shape()[0] * std::ssize(targets_.blocks));
    loss +=
        SquaredLoss(student_.Output(block.student), target,
                    weights_.blocks * share / (terms * variances_[i]), gradient_of(block.student));
  }
  return loss;
}

double DistillationObjective::LossOfPart(const Tensor& part, double share,
                                         const Pointers& parameters,
                                         std::map<ValueId, Tensor>* gradients) {
  RunTeacher(part);
  {
    const PhaseTimer timer(seconds_, "student forward");
    student_.Forward({{student_graph_.inputs[0].value, &part}}, parameters);
  }
  const PhaseTimer timer(seconds_, "backward");
  if (gradients == nullptr) return CompareOutputs(share, nullptr);
  Pointers of_targets;
  const double loss = CompareOutputs(share, &of_targets);
  student_.Backward(of_targets, *gradients);
  return loss;
}

double DistillationObjective::Loss(const Tensor& images, const Pointers& parameters,
                                   std::map<ValueId, Tensor>* gradients) {
  double loss = 0;
  bool first = true;
  if (gradients != nullptr) {
    part_gradients_.clear();
    for (const auto& [id, gradient] : *gradients) part_gradients_[id];
  }
  ForParts(images, [&](const Tensor& part, int64_t used) {
    const double share = 1.0 / static_cast<double>(used);
    const bool add = !std::exchange(first, false);
    loss += LossOfPart(part, share, parameters, add && gradients ? &part_gradients_ : gradients);
    if (!add || gradients == nullptr) return;
    const PhaseTimer timer(seconds_, "backward");
    for (auto& [id, sum] : *gradients) AddTo(sum, part_gradients_.at(id));
  });
  return loss;
}

}  // namespace sparsify
