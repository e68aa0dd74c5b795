#include "reconstruction/layer_runner.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "sparsity/ops/interpreter.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

NetworkFunction Interpret(const Graph& graph) {
  const auto interpreter = std::make_shared<const Interpreter>(graph);
  return [interpreter](const std::vector<const Tensor*>& inputs, Tensor& output) {
    output = std::move(interpreter->Run(inputs)[0]);
  };
}

bool HasLayers(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
    return node.type == OpType::kConv || node.type == OpType::kGemm || node.type == OpType::kMatMul;
  });
}

}  // namespace

bool IsShared(const Graph& graph, const Layer& layer) {
  return graph.Consumers(layer.weight).size() > 1;
}

const Tensor* ParameterBias(const Graph& graph, const Layer& layer) {
  const bool is_parameter = layer.bias != kNoValue && graph.value(layer.bias).is_parameter;
  return is_parameter ? &graph.value(layer.bias).data : nullptr;
}

Tensor RunLayer(const Graph& graph, const Layer& layer, const CutValues& cut, const Tensor& weight,
                const Tensor* bias) {
  Node node = graph.node(layer.node);
  std::vector<const Tensor*> inputs;
  for (const ValueId id : node.inputs) {
    const bool is_activation = id != kNoValue && !graph.value(id).is_parameter;
    inputs.push_back(is_activation ? &cut.at(id) : nullptr);
  }
  inputs.at(1) = &weight;
  if (bias != nullptr) {
    inputs.resize(std::max<size_t>(inputs.size(), 3), nullptr);
    inputs[2] = bias;
    node.inputs.resize(inputs.size(), kNoValue);
    node.inputs[2] = layer.weight;  // any value: operators ask whether there is one
  }
  std::vector<Shape> shapes;
  for (const Tensor* input : inputs) {
    shapes.push_back(input != nullptr ? input->shape() : Shape{0});
  }
  Tensor output = Tensor::Uninitialized(OutputShapes(node, shapes).at(0));
  Tensor* const outputs[] = {&output};
  Forward(node, inputs, outputs);
  return output;
}

LayerRunner::LayerRunner(const Graph& graph, const Layer& layer, ValueId output, int64_t batch,
                         const NetworkMaker& make_network)
    : graph_(graph),
      layer_(layer),
      includes_layer_(IsShared(graph, layer)),
      suffix_(SuffixBehind(graph, layer.node + (includes_layer_ ? 0 : 1), output, batch)) {
  reads_ = suffix_.inputs;
  if (!includes_layer_) {
    const Node& node = graph.node(layer.node);
    std::erase(reads_, node.outputs[0]);
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && !graph.value(id).is_parameter) reads_.push_back(id);
    }
  }
  std::sort(reads_.begin(), reads_.end());
  reads_.erase(std::unique(reads_.begin(), reads_.end()), reads_.end());
  if (suffix_.graph.nodes().empty()) return;
  const bool plain = !make_network || includes_layer_ || !HasLayers(suffix_.graph);
  run_ = plain ? Interpret(suffix_.graph) : make_network(suffix_.graph, batch);
}

void LayerRunner::Run(CutValues& cut, const Tensor& weight, const Tensor* bias, Tensor& output) {
  if (includes_layer_) {
    Graph& suffix = suffix_.graph;
    const ValueId id = suffix.FindValue(graph_.value(layer_.weight).name);
    if (id != kNoValue) suffix.mutable_value(id).data = weight;
  } else {
    cut[graph_.node(layer_.node).outputs[0]] = RunLayer(graph_, layer_, cut, weight, bias);
  }
  std::vector<const Tensor*> inputs;
  for (const ValueId id : suffix_.inputs) inputs.push_back(&cut.at(id));
  if (run_) {
    run_(inputs, output);
  } else {
    output = *inputs.at(0);
  }
}

}  // namespace sparsify
