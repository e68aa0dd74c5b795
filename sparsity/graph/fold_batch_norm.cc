#include "sparsity/graph/fold_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

bool IsParameter(const Graph& graph, const Node& node, size_t input) {
  return input < node.inputs.size() && node.inputs[input] != kNoValue &&
         graph.value(node.inputs[input]).is_parameter;
}

bool HasBias(const Node& layer) { return layer.inputs.size() > 2 && layer.inputs[2] != kNoValue; }

// Why the weight or bias of `layer` cannot be rewritten for `channels` outputs; "" if it can.
std::string LayerObstacle(const Graph& graph, const Node& layer, int64_t channels) {
  if (!IsParameter(graph, layer, 1)) return "the weight of \"" + layer.name + "\" is computed";
  if (graph.Consumers(layer.inputs[1]).size() > 1) {
    return "the weight of \"" + layer.name + "\" is shared";
  }
  const Tensor& weight = graph.value(layer.inputs[1]).data;
  if (layer.type == OpType::kGemm && layer.attributes.Int("transB", 0) == 0) {
    return "the weight of \"" + layer.name + "\" is stored input by output";
  }
  if (weight.shape().rank() < 2 || weight.shape()[0] != channels) {
    return "the weight of \"" + layer.name + "\" has other channels";
  }
  if (!HasBias(layer)) return "";
  if (!IsParameter(graph, layer, 2)) return "the bias of \"" + layer.name + "\" is computed";
  if (graph.Consumers(layer.inputs[2]).size() > 1) {
    return "the bias of \"" + layer.name + "\" is shared";
  }
  if (graph.value(layer.inputs[2]).data.size() != channels) {
    return "the bias of \"" + layer.name + "\" is not one number a channel";
  }
  return "";
}

// Why the batch norm cannot be folded into the node `producer`; "" if it can.
std::string Obstacle(const Graph& graph, const Node& norm, int producer) {
  for (size_t i = 1; i < 5; ++i) {
    if (!IsParameter(graph, norm, i)) return "its statistics are not constant";
  }
  if (producer < 0) return "its input is an input of the network";
  const Node& layer = graph.node(producer);
  if (layer.type != OpType::kConv && layer.type != OpType::kGemm) {
    return "its input is made by " + std::string(OpName(layer.type)) + " \"" + layer.name + "\"";
  }
  if (graph.IsOutput(norm.inputs[0]) || graph.Consumers(norm.inputs[0]).size() > 1) {
    return "the output of \"" + layer.name + "\" is also used elsewhere";
  }
  return LayerObstacle(graph, layer, graph.value(norm.inputs[1]).data.size());
}

// "<layer>.bias" after the weight's name, made unique.
std::string BiasName(const Graph& graph, const Node& layer) {
  std::string stem = graph.value(layer.inputs[1]).name;
  if (stem.ends_with(".weight")) stem.resize(stem.size() - 7);
  std::string name = stem + ".bias";
  for (int i = 2; graph.FindValue(name) != kNoValue; ++i) {
    name = stem + ".bias" + std::to_string(i);
  }
  return name;
}

std::vector<double> Factors(const Graph& graph, const Node& norm) {
  const Tensor& scale = graph.value(norm.inputs[1]).data;
  const Tensor& variance = graph.value(norm.inputs[4]).data;
  const double epsilon = norm.attributes.Float("epsilon", 1e-5);
  std::vector<double> factors;
  for (int64_t c = 0; c < scale.size(); ++c) {
    const double sum = variance[c] + epsilon;
    if (!(sum > 0)) {
      Fail(graph.name, "BatchNormalization \"{}\": variance {} of channel {} is not positive",
           norm.name, variance[c], c);
    }
    factors.push_back(scale[c] / std::sqrt(sum));
  }
  return factors;
}

void Fold(Graph& graph, const Node& norm, int producer) {
  const std::vector<double> factors = Factors(graph, norm);
  const auto channels = static_cast<int64_t>(factors.size());
  Node& layer = graph.mutable_nodes()[static_cast<size_t>(producer)];
  Tensor& weight = graph.mutable_value(layer.inputs[1]).data;
  const int64_t per_channel = weight.size() / channels;
  for (int64_t i = 0; i < weight.size(); ++i) {
    weight[i] = static_cast<float>(weight[i] * factors[static_cast<size_t>(i / per_channel)]);
  }
  const Tensor& mean = graph.value(norm.inputs[3]).data;
  const Tensor& shift = graph.value(norm.inputs[2]).data;
  const double beta = layer.type == OpType::kGemm ? layer.attributes.Float("beta", 1) : 1;
  Tensor bias(Shape{channels});
  for (int64_t c = 0; c < channels; ++c) {
    const double own = HasBias(layer) ? beta * graph.value(layer.inputs[2]).data[c] : 0;
    bias[c] = static_cast<float>(factors[static_cast<size_t>(c)] * (own - mean[c]) + shift[c]);
  }
  if (layer.type == OpType::kGemm) layer.attributes.Set("beta", 1.0);
  if (HasBias(layer)) {
    graph.mutable_value(layer.inputs[2]).data = std::move(bias);
  } else {
    layer.inputs.resize(3, kNoValue);
    layer.inputs[2] = graph.AddParameter(BiasName(graph, layer), std::move(bias));
  }
  layer.outputs[0] = norm.outputs[0];
}

// The graph without nodes[i] where dropped[i], and without values that nothing refers to.
Graph Compacted(Graph graph, const std::vector<bool>& dropped) {
  Graph result;
  result.name = graph.name;
  std::vector<ValueId> renamed(graph.values().size(), kNoValue);
  const auto keep = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& to = renamed[static_cast<size_t>(id)];
    Value& value = graph.mutable_value(id);
    if (to == kNoValue) {
      to = value.is_parameter ? result.AddParameter(value.name, std::move(value.data))
                              : result.AddActivation(value.name);
    }
    return to;
  };
  for (const Port& port : graph.inputs) result.inputs.push_back({keep(port.value), port.shape});
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (dropped[i]) continue;
    Node node = graph.nodes()[i];
    for (ValueId& id : node.inputs) id = keep(id);
    for (ValueId& id : node.outputs) id = keep(id);
    result.AddNode(std::move(node));
  }
  for (const Port& port : graph.outputs) result.outputs.push_back({keep(port.value), port.shape});
  result.SortAndCheck();
  return result;
}

}  // namespace

Graph FoldBatchNorms(Graph graph, FoldReport* report) {
  FoldReport local;
  std::vector<bool> dropped(graph.nodes().size(), false);
  for (size_t i = 0; i < dropped.size(); ++i) {
    const Node norm = graph.nodes()[i];
    if (norm.type != OpType::kBatchNormalization) continue;
    const int producer = norm.inputs.empty() ? -1 : graph.Producer(norm.inputs[0]);
    const std::string reason = Obstacle(graph, norm, producer);
    if (!reason.empty()) {
      local.kept.push_back({norm.name, reason});
      continue;
    }
    Fold(graph, norm, producer);
    dropped[i] = true;
    ++local.folded;
  }
  if (report != nullptr) *report = std::move(local);
  return Compacted(std::move(graph), dropped);
}

}  // namespace sparsify
