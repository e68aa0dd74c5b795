#include "sparsity/ops/graph_pass.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

size_t Index(ValueId id) { return static_cast<size_t>(id); }

void AddTo(Tensor& sum, const Tensor& term) {
  constexpr int64_t kChunk = 1 << 14;
  ParallelFor((sum.size() + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t end = std::min(sum.size(), (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) sum[i] += term[i];
  });
}

}  // namespace

GraphPass::GraphPass(const Graph& graph, std::vector<int> nodes, std::vector<ValueId> inputs,
                     std::string name, BatchNormMode mode)
    : graph_(graph),
      nodes_(std::move(nodes)),
      inputs_(std::move(inputs)),
      name_(std::move(name)),
      mode_(mode),
      owned_(graph.values().size()),
      current_(graph.values().size(), nullptr) {}

GraphPass GraphPass::WholeNetwork(const Graph& graph, BatchNormMode mode) {
  std::vector<int> nodes(graph.nodes().size());
  std::iota(nodes.begin(), nodes.end(), 0);
  std::vector<ValueId> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(port.value);
  return {graph, std::move(nodes), std::move(inputs), graph.name, mode};
}

bool GraphPass::Trains(const Node& node) const {
  return mode_ == BatchNormMode::kTraining && node.type == OpType::kBatchNormalization;
}

const Tensor* GraphPass::ParameterOf(ValueId id,
                                     const std::map<ValueId, const Tensor*>& overrides) const {
  const Value& value = graph_.value(id);
  const auto it = overrides.find(id);
  if (it == overrides.end()) return &value.data;
  if (it->second->shape() != value.data.shape()) {
    Fail(name_, "the replacement of \"{}\" has shape {}, {} expected", value.name,
         it->second->shape().ToString(), value.data.shape().ToString());
  }
  return it->second;
}

void GraphPass::Forward(const std::map<ValueId, const Tensor*>& inputs,
                        const std::map<ValueId, const Tensor*>& overrides) {
  has_forward_ = false;
  batch_statistics_.clear();
  std::fill(current_.begin(), current_.end(), nullptr);
  for (const auto& [id, tensor] : overrides) {
    if (!graph_.value(id).is_parameter) {
      Fail(name_, "\"{}\" is no parameter and cannot be replaced", graph_.value(id).name);
    }
  }
  int64_t elements = 0;
  for (const ValueId id : inputs_) {
    const auto it = inputs.find(id);
    if (it == inputs.end()) Fail(name_, "input \"{}\" is missing", graph_.value(id).name);
    current_[Index(id)] = it->second;
    elements += it->second->size();
  }
  // With another batch size the memory kept for gradients would not be used again.
  if (std::exchange(input_elements_, elements) != elements) spare_.clear();
  for (const int index : nodes_) {
    const Node& node = graph_.node(index);
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || !graph_.value(id).is_parameter) continue;
      current_[Index(id)] = ParameterOf(id, overrides);
    }
    RunNode(index);
  }
  has_forward_ = true;
}

void GraphPass::RunNode(int index) {
  const Node& node = graph_.node(index);
  std::vector<const Tensor*> inputs;
  std::vector<Shape> shapes;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? nullptr : current_[Index(id)]);
    shapes.push_back(id == kNoValue ? Shape{0} : inputs.back()->shape());
  }
  const auto made = OutputShapes(node, shapes);
  std::vector<Tensor> unnamed(made.size());  // outputs that nothing asks for
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < made.size(); ++i) {
    const bool named = i < node.outputs.size() && node.outputs[i] != kNoValue;
    Tensor& tensor = named ? owned_[Index(node.outputs[i])] : unnamed[i];
    tensor.Resize(made[i]);
    if (named) current_[Index(node.outputs[i])] = &tensor;
    outputs.push_back(&tensor);
  }
  if (!Trains(node)) return sparsify::Forward(node, inputs, outputs);
  const BatchMoments& moments = moments_[index] =
      BatchNormalizationTrain(node, inputs, *outputs[0]);
  batch_statistics_.push_back({index, moments.Mean(), moments.UnbiasedVariance()});
}

bool GraphPass::Makes(ValueId id) const {
  return id >= 0 && Index(id) < current_.size() && current_[Index(id)] == &owned_[Index(id)];
}

const Tensor& GraphPass::Output(ValueId id) const {
  if (!has_forward_ || !Makes(id)) {
    Fail(name_, "value {} was not made by a forward pass of these nodes", id);
  }
  return owned_[Index(id)];
}

// Walks the nodes backwards; gradients of activations live only while they are needed.
class GraphPass::BackwardPass {
 public:
  BackwardPass(GraphPass& of, std::map<ValueId, Tensor>& parameter_grads)
      : pass_(of),
        wanted_(parameter_grads),
        needed_(of.current_.size(), false),
        started_(of.current_.size(), false),
        given_(of.current_.size(), nullptr),
        gradients_(of.current_.size()) {}

  void FindNeeded() {
    for (auto& [id, gradient] : wanted_) {
      const bool known = id >= 0 && Index(id) < needed_.size() &&
                         pass_.current_[Index(id)] != nullptr && !pass_.Makes(id);
      if (!known) {
        Fail(pass_.name_, "value {} is neither a parameter nor an input of these nodes", id);
      }
      gradient.Resize(pass_.current_[Index(id)]->shape());
      needed_[Index(id)] = true;
    }
    for (const int index : pass_.nodes_) {
      const Node& node = pass_.graph_.node(index);
      const bool depends = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
        return id != kNoValue && needed_[Index(id)];
      });
      for (const ValueId id : node.outputs) {
        if (depends && id != kNoValue) needed_[Index(id)] = true;
      }
    }
  }

  void Start(ValueId id, const Tensor& gradient) {
    if (!pass_.Makes(id)) {
      Fail(pass_.name_, "a gradient is given for value {}, which these nodes do not make", id);
    }
    const Shape& expected = pass_.owned_[Index(id)].shape();
    if (gradient.shape() != expected) {
      Fail(pass_.name_, "the gradient of \"{}\" has shape {}, {} expected",
           pass_.graph_.value(id).name, gradient.shape().ToString(), expected.ToString());
    }
    if (!needed_[Index(id)]) return;
    given_[Index(id)] = &gradient;
    started_[Index(id)] = true;
  }

  void RunNode(int index) {
    const Node& node = pass_.graph_.node(index);
    std::vector<const Tensor*> inputs;
    std::vector<const Tensor*> outputs;
    std::vector<const Tensor*> grad_outputs;
    bool reached = false;
    for (const ValueId id : node.outputs) {
      const bool has = id != kNoValue && started_[Index(id)];
      outputs.push_back(id == kNoValue ? nullptr : pass_.current_[Index(id)]);
      const Tensor* given = has ? given_[Index(id)] : nullptr;
      grad_outputs.push_back(has && given == nullptr ? &gradients_[Index(id)] : given);
      reached = reached || has;
    }
    if (!reached) return;
    std::vector<Tensor> more(node.inputs.size());  // for values that have a gradient already
    std::vector<Tensor*> grad_inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      inputs.push_back(id == kNoValue ? nullptr : pass_.current_[Index(id)]);
      grad_inputs.push_back(nullptr);
      if (id == kNoValue || !needed_[Index(id)]) continue;
      const Shape& shape = inputs.back()->shape();
      if (started_[Index(id)]) more[i] = Spare(shape);
      grad_inputs.back() = started_[Index(id)] ? &more[i] : &Take(id, shape);
      started_[Index(id)] = true;
    }
    if (pass_.Trains(node)) {
      BatchNormalizationTrainBackward(node, inputs, pass_.moments_.at(index), *grad_outputs[0],
                                      grad_inputs);
    } else {
      sparsify::Backward(node, inputs, outputs, grad_outputs, grad_inputs);
    }
    for (size_t i = 0; i < more.size(); ++i) {
      if (grad_inputs[i] != &more[i]) continue;
      OwnGiven(node.inputs[i]);
      AddTo(GradientOf(node.inputs[i]), more[i]);
      Release(std::move(more[i]));
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) Release(std::move(gradients_[Index(id)]));
    }
  }

  bool IsStarted(ValueId id) const { return started_[Index(id)]; }

 private:
  Tensor& GradientOf(ValueId id) {
    const auto it = wanted_.find(id);
    return it == wanted_.end() ? gradients_[Index(id)] : it->second;
  }

  // Memory of an earlier gradient where there is some of this size, contents undefined.
  Tensor Spare(const Shape& shape) {
    Tensor tensor;
    const auto spare = pass_.spare_.find(shape.NumElements());
    if (spare != pass_.spare_.end()) {
      tensor = std::move(spare->second);
      pass_.spare_.erase(spare);
    }
    tensor.Resize(shape);
    return tensor;
  }

  // The gradient of `id` with this shape, contents undefined.
  Tensor& Take(ValueId id, const Shape& shape) {
    Tensor& gradient = GradientOf(id);
    if (wanted_.contains(id)) {
      gradient.Resize(shape);
    } else {
      gradient = Spare(shape);
    }
    return gradient;
  }

  // The caller's gradient is only read: a copy takes what is to be added to it.
  void OwnGiven(ValueId id) {
    const Tensor* given = std::exchange(given_[Index(id)], nullptr);
    if (given != nullptr) Take(id, given->shape()) = *given;
  }

  void Release(Tensor gradient) {
    const int64_t size = gradient.size();
    if (size > 0) pass_.spare_.emplace(size, std::move(gradient));
  }

  GraphPass& pass_;
  std::map<ValueId, Tensor>& wanted_;
  std::vector<bool> needed_;          // a wanted gradient passes through this value
  std::vector<bool> started_;         // the gradient holds something
  std::vector<const Tensor*> given_;  // gradients that the caller lends
  std::vector<Tensor> gradients_;
};

void GraphPass::Backward(const std::map<ValueId, const Tensor*>& grad_outputs,
                         std::map<ValueId, Tensor>& parameter_grads) {
  if (!has_forward_) Fail(name_, "a backward pass needs a forward pass before it");
  BackwardPass pass(*this, parameter_grads);
  pass.FindNeeded();
  for (const auto& [id, gradient] : grad_outputs) pass.Start(id, *gradient);
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    pass.RunNode(*it);
  }
  for (auto& [id, gradient] : parameter_grads) {
    if (!pass.IsStarted(id)) gradient.Fill(0);
  }
}

}  // namespace sparsify
