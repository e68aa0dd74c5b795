#include "sparsity/ops/graph_pass.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/ops/activations.h"
#include "sparsity/ops/node_blocks.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

size_t Index(ValueId id) { return static_cast<size_t>(id); }

bool IsSumOfAlike(const Node& node, const std::vector<const Tensor*>& values) {
  return node.type == OpType::kAdd &&
         values[Index(node.inputs[0])]->shape() == values[Index(node.inputs[1])]->shape();
}

// Whether the gradient of each input is the gradient of the output.
bool PassesOn(const Node& node, const std::vector<const Tensor*>& values) {
  switch (node.type) {
    case OpType::kIdentity:
    case OpType::kDropout:
    case OpType::kFlatten:
    case OpType::kReshape:
      return true;
    default:
      return IsSumOfAlike(node, values);
  }
}

// One channel in and out a group, and not dilated, for which there are no kernels on blocks.
bool IsLikelyDepthwise(const Node& node, const Tensor& weight) {
  const Shape& shape = weight.shape();
  return shape.rank() == 4 && shape[1] == 1 && shape[0] > 1 &&
         shape[0] == node.attributes.Int("group", 1) &&
         node.attributes.Ints("dilations", {1, 1}) == std::vector<int64_t>{1, 1};
}

void Convert(const Tensor& from, bool to_blocks, Tensor& to) {
  if (to_blocks) {
    ToChannelBlocks(from, to);
  } else {
    FromChannelBlocks(from, to);
  }
}

}  // namespace

GraphPass::GraphPass(const Graph& graph, std::vector<int> nodes, std::vector<ValueId> inputs,
                     std::string name, BatchNormMode mode, Precision precision)
    : graph_(graph),
      nodes_(std::move(nodes)),
      inputs_(std::move(inputs)),
      name_(std::move(name)),
      mode_(mode),
      precision_(precision),
      owned_(graph.values().size()),
      current_(graph.values().size(), nullptr),
      blocked_(graph.values().size(), false),
      node_blocks_(graph.nodes().size()),
      node_precision_(graph.nodes().size(), Precision::kF32),
      takes_blocks_(TakesBlocks()),
      stored_(graph.values().size()),
      feeds_depthwise_(FindFeedersOfDepthwise()) {
  std::iota(stored_.begin(), stored_.end(), 0);
  if (mode_ == BatchNormMode::kTraining) JoinActivations();
}

GraphPass GraphPass::WholeNetwork(const Graph& graph, BatchNormMode mode, Precision precision) {
  std::vector<int> nodes(graph.nodes().size());
  std::iota(nodes.begin(), nodes.end(), 0);
  std::vector<ValueId> inputs;
  for (const Port& port : graph.inputs) inputs.push_back(port.value);
  return {graph, std::move(nodes), std::move(inputs), graph.name, mode, precision};
}

// In a single convolution blocks would only be made and unmade; batch norm of running statistics
// computes on plain memory.
bool GraphPass::TakesBlocks() const {
  const auto count = [&](OpType type) {
    return std::count_if(nodes_.begin(), nodes_.end(),
                         [&](int index) { return graph_.node(index).type == type; });
  };
  return mode_ == BatchNormMode::kTraining ||
         (count(OpType::kConv) > 1 && count(OpType::kBatchNormalization) == 0);
}

// A batch norm writes what the Relu or Clip makes that alone reads it: the gradient of these
// depends on their output as on their input.
void GraphPass::JoinActivations() {
  for (const int index : nodes_) {
    const Node& node = graph_.node(index);
    if (node.type != OpType::kBatchNormalization || graph_.IsOutput(node.outputs[0])) continue;
    const std::vector<int> readers = graph_.Consumers(node.outputs[0]);
    if (readers.size() != 1 || std::ranges::find(nodes_, readers[0]) == nodes_.end()) continue;
    const Node& reader = graph_.node(readers[0]);
    const std::optional<ValueRange> range = RangeOf(reader);
    if (!range) continue;
    joined_.emplace(index, *range);
    stored_[Index(node.outputs[0])] = reader.outputs[0];
  }
}

// Whether a depthwise convolution reads what the node makes, or what is computed from it without
// leaving the layout.
std::vector<bool> GraphPass::FindFeedersOfDepthwise() const {
  std::vector<bool> feeds(graph_.nodes().size(), false);
  std::vector<bool> is_read(graph_.values().size(), false);  // by one, directly or not
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    const Node& node = graph_.node(*it);
    for (const ValueId id : node.outputs) {
      if (id != kNoValue && is_read[Index(id)]) feeds[static_cast<size_t>(*it)] = true;
    }
    if (node.inputs.empty() || node.inputs[0] == kNoValue) continue;
    const bool is_depthwise =
        node.type == OpType::kConv && IsLikelyDepthwise(node, graph_.value(node.inputs[1]).data);
    const bool keeps = ActsOnElements(node.type) || node.type == OpType::kMul;
    if (is_depthwise) {
      is_read[Index(node.inputs[0])] = true;
    } else if (keeps && feeds[static_cast<size_t>(*it)]) {
      for (const ValueId id : node.inputs) {
        if (id != kNoValue) is_read[Index(id)] = true;
      }
    }
  }
  return feeds;
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
  std::fill(blocked_.begin(), blocked_.end(), false);
  std::erase_if(converted_, [](const auto& entry) { return !entry.second.is_valid; });  // unused
  for (auto& [id, converted] : converted_) converted.is_valid = false;
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

NodeBlocks GraphPass::ChooseBlocks(int index, const std::vector<Shape>& shapes) const {
  const Node& node = graph_.node(index);
  if (!takes_blocks_ || node.inputs.empty() || node.inputs[0] == kNoValue) return {};
  std::vector<bool> lies;
  bool has_parameter = false;
  for (const ValueId id : node.inputs) {
    lies.push_back(id != kNoValue && blocked_[Index(id)]);
    has_parameter = has_parameter || (id != kNoValue && graph_.value(id).is_parameter);
  }
  return ChooseNodeBlocks(node, shapes, lies, has_parameter,
                          feeds_depthwise_[static_cast<size_t>(index)]);
}

// The value in one of its layouts. A parameter has only one.
const Tensor* GraphPass::Find(ValueId id, bool blocked) const {
  const Tensor* tensor = current_[Index(id)];
  if (blocked == blocked_[Index(id)] || graph_.value(id).is_parameter) return tensor;
  Converted& other = converted_[id];
  if (!other.is_valid) Convert(*tensor, blocked, other.tensor);
  other.is_valid = true;
  return &other.tensor;
}

void GraphPass::RunNode(int index) {
  const Node& node = graph_.node(index);
  const bool is_joined = !node.inputs.empty() && node.inputs[0] != kNoValue &&
                         stored_[Index(node.inputs[0])] != node.inputs[0];
  if (is_joined) {  // its batch norm has written the output
    const bool lies = blocked_[Index(node.outputs[0])];
    node_blocks_[static_cast<size_t>(index)] = {lies, lies};
    return;
  }
  std::vector<Shape> shapes;
  for (const ValueId id : node.inputs) {
    shapes.push_back(id == kNoValue ? Shape{0} : current_[Index(id)]->shape());
  }
  const auto made = OutputShapes(node, shapes);
  const NodeBlocks blocks = node_blocks_[static_cast<size_t>(index)] = ChooseBlocks(index, shapes);
  const bool bf16 = precision_ == Precision::kBf16 && F32Reason(node, shapes).empty();
  const Precision precision = node_precision_[static_cast<size_t>(index)] =
      bf16 ? Precision::kBf16 : Precision::kF32;
  std::vector<const Tensor*> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    inputs.push_back(id == kNoValue ? nullptr : Find(id, blocks.x && LiesAsX(node, i)));
  }
  std::vector<Tensor> unnamed(made.size());  // outputs that nothing asks for
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < made.size(); ++i) {
    const bool named = i < node.outputs.size() && node.outputs[i] != kNoValue;
    const ValueId stored = named ? stored_[Index(node.outputs[i])] : kNoValue;
    Tensor& tensor = named ? owned_[Index(stored)] : unnamed[i];
    tensor.Resize(made[i]);
    outputs.push_back(&tensor);
    if (!named) continue;
    for (const ValueId id : {node.outputs[i], stored}) {
      current_[Index(id)] = &tensor;
      blocked_[Index(id)] = blocks.y;
    }
  }
  if (Trains(node)) {
    const auto joined = joined_.find(index);
    const ValueRange* range = joined == joined_.end() ? nullptr : &joined->second;
    const BatchMoments& moments = moments_[index] =
        BatchNormalizationTrain(node, inputs, *outputs[0], blocks.x, share_, range);
    batch_statistics_.push_back({index, moments.Mean(), moments.UnbiasedVariance()});
  } else {
    LaidOutForward(node, blocks, precision, inputs, outputs);
  }
}

bool GraphPass::Makes(ValueId id) const {
  return id >= 0 && Index(id) < current_.size() &&
         current_[Index(id)] == &owned_[Index(stored_[Index(id)])];
}

void GraphPass::CheckMade(ValueId id) const {
  if (!has_forward_ || !Makes(id)) {
    Fail(name_, "value {} was not made by a forward pass of these nodes", id);
  }
  if (stored_[Index(id)] != id) {
    Fail(name_, "\"{}\" is not kept: its activation is computed with it", graph_.value(id).name);
  }
}

const Tensor& GraphPass::Output(ValueId id, bool blocked) const {
  CheckMade(id);
  return *Find(id, blocked);
}

bool GraphPass::LiesInBlocks(ValueId id) const {
  CheckMade(id);
  return blocked_[Index(id)];
}

// Walks the nodes backwards; gradients of activations live only while they are needed.
class GraphPass::BackwardPass {
 public:
  BackwardPass(GraphPass& of, std::map<ValueId, Tensor>& parameter_grads)
      : pass_(of), needed_(of.current_.size(), false), gradients_(of.current_.size(), of.spare_) {
    FindNeeded(parameter_grads);
  }

  void Start(ValueId id, const LaidOut& given) {
    const Tensor& gradient = *given.tensor;
    if (!pass_.Makes(id)) {
      Fail(pass_.name_, "a gradient is given for value {}, which these nodes do not make", id);
    }
    const Shape& expected = pass_.current_[Index(id)]->shape();
    if (gradient.shape() != expected) {
      Fail(pass_.name_, "the gradient of \"{}\" has shape {}, {} expected",
           pass_.graph_.value(id).name, gradient.shape().ToString(), expected.ToString());
    }
    if (!needed_[Index(id)]) return;
    const bool blocked = pass_.blocked_[Index(id)];
    if (blocked == given.blocked) {
      gradients_.Lend(id, gradient);
    } else {
      Convert(gradient, blocked, gradients_.Start(id, gradient.shape()));
    }
  }

  void RunNode(int index) {
    const Node& node = pass_.graph_.node(index);
    const bool reached = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && gradients_.Has(id);
    });
    if (!reached) return;
    if (PassesOn(node, pass_.current_)) {
      for (const ValueId id : node.inputs) {
        if (IsNeeded(id)) PassOn(node.outputs[0], id);
      }
    } else {
      Differentiate(index, node);
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) gradients_.Drop(id);
    }
  }

  bool IsStarted(ValueId id) const { return gradients_.Has(id); }

 private:
  void FindNeeded(std::map<ValueId, Tensor>& wanted) {
    for (auto& [id, gradient] : wanted) {
      const bool known = id >= 0 && Index(id) < needed_.size() &&
                         pass_.current_[Index(id)] != nullptr && !pass_.Makes(id);
      if (!known) {
        Fail(pass_.name_, "value {} is neither a parameter nor an input of these nodes", id);
      }
      gradient.Resize(pass_.current_[Index(id)]->shape());
      gradients_.Want(id, gradient);
      needed_[Index(id)] = true;
    }
    for (const int index : pass_.nodes_) {
      const Node& node = pass_.graph_.node(index);
      const bool depends = std::any_of(node.inputs.begin(), node.inputs.end(),
                                       [&](ValueId id) { return IsNeeded(id); });
      for (const ValueId id : node.outputs) {
        if (depends && id != kNoValue) needed_[Index(id)] = true;
      }
    }
  }

  bool IsNeeded(ValueId id) const { return id != kNoValue && needed_[Index(id)]; }

  void PassOn(ValueId from, ValueId to) {
    const Shape& shape = pass_.current_[Index(to)]->shape();
    const bool blocked = pass_.blocked_[Index(from)];
    if (blocked == pass_.blocked_[Index(to)]) return gradients_.PassOn(from, to, shape);
    Tensor gradient = *gradients_.Get(from);
    gradient.Reshape(shape);
    Give(to, blocked, gradient);
  }

  // Adds `term`, which lies in blocks or not, to the gradient of `id`.
  void Give(ValueId id, bool blocked, const Tensor& term) {
    const bool own = pass_.blocked_[Index(id)];
    if (own == blocked) {
      gradients_.Add(id, term);
    } else if (!gradients_.Has(id)) {
      Convert(term, own, gradients_.Start(id, term.shape()));
    } else {
      Tensor converted = gradients_.Take(term.shape());
      Convert(term, own, converted);
      gradients_.Add(id, converted);
      gradients_.GiveBack(std::move(converted));
    }
  }

  void Differentiate(int index, const Node& node) {
    const NodeBlocks blocks = pass_.node_blocks_[static_cast<size_t>(index)];
    const Precision precision = pass_.node_precision_[static_cast<size_t>(index)];
    std::vector<const Tensor*> inputs;
    std::vector<const Tensor*> outputs;
    std::vector<const Tensor*> grad_outputs;
    for (const ValueId id : node.outputs) {
      outputs.push_back(id == kNoValue ? nullptr : pass_.current_[Index(id)]);
      grad_outputs.push_back(id == kNoValue ? nullptr : gradients_.Get(id));
    }
    // For values that have a gradient already, or have theirs in the other layout.
    std::vector<Tensor> more(node.inputs.size());
    std::vector<Tensor*> grad_inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      const bool lies = blocks.x && LiesAsX(node, i);
      inputs.push_back(id == kNoValue ? nullptr : pass_.Find(id, lies));
      grad_inputs.push_back(IsNeeded(id) ? TargetOf(node, i, lies, more[i]) : nullptr);
    }
    if (pass_.Trains(node)) {
      BatchNormalizationTrainBackward(node, inputs, pass_.moments_.at(index), *grad_outputs[0],
                                      grad_inputs, blocks.x, pass_.share_);
    } else {
      LaidOutBackward(node, blocks, precision, inputs, outputs, grad_outputs, grad_inputs);
    }
    for (size_t i = 0; i < more.size(); ++i) {
      if (grad_inputs[i] != &more[i]) continue;
      const bool is_parameter = pass_.graph_.value(node.inputs[i]).is_parameter;
      Give(node.inputs[i], blocks.x && LiesAsX(node, i) && !is_parameter, more[i]);
      gradients_.GiveBack(std::move(more[i]));
    }
  }

  // Where the gradient of input i, in blocks or not, goes: `more` if it cannot lie with the
  // value's.
  Tensor* TargetOf(const Node& node, size_t i, bool blocked, Tensor& more) {
    const ValueId id = node.inputs[i];
    const Shape& shape = pass_.current_[Index(id)]->shape();
    const bool differs =
        blocked != pass_.blocked_[Index(id)] && !pass_.graph_.value(id).is_parameter;
    if (gradients_.Has(id) || differs) {
      more = gradients_.Take(shape);
      return &more;
    }
    if (i == 0 && GetOp(node.type).gradient_in_place) {
      Tensor* target = gradients_.HandOver(node.outputs[0], id);
      if (target != nullptr) return target;
    }
    return &gradients_.Start(id, shape);
  }

  GraphPass& pass_;
  std::vector<bool> needed_;  // a wanted gradient passes through this value
  ActivationGradients gradients_;
};

void GraphPass::Backward(const std::map<ValueId, LaidOut>& grad_outputs,
                         std::map<ValueId, Tensor>& parameter_grads) {
  if (!has_forward_) Fail(name_, "a backward pass needs a forward pass before it");
  BackwardPass pass(*this, parameter_grads);
  for (const auto& [id, gradient] : grad_outputs) pass.Start(id, gradient);
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    pass.RunNode(*it);
  }
  for (auto& [id, gradient] : parameter_grads) {
    if (!pass.IsStarted(id)) gradient.Fill(0);
  }
}

}  // namespace sparsify
