#include "reconstruction/unit_correction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sparsify {
namespace {

// Whether it is a parameter with a number for each of `channels`.
bool IsPerChannel(const Graph& graph, ValueId id, size_t channels) {
  return id != kNoValue && graph.value(id).is_parameter &&
         graph.value(id).data.size() == static_cast<int64_t>(channels);
}

// Such a parameter that only one node reads, or null.
Tensor* OwnParameter(Graph& graph, ValueId id, size_t channels) {
  const bool own = IsPerChannel(graph, id, channels) && graph.Consumers(id).size() == 1;
  return own ? &graph.mutable_value(id).data : nullptr;
}

void AddTo(Tensor& parameter, const std::vector<double>& shift, const std::vector<double>& gain) {
  for (size_t c = 0; c < shift.size(); ++c) {
    float& value = parameter[static_cast<int64_t>(c)];
    value = static_cast<float>(value + shift[c] * gain[c]);
  }
}

}  // namespace

bool ShiftChannels(Graph& graph, const Layer& layer, const std::vector<int>& nodes,
                   const std::vector<double>& shift) {
  const Node& node = graph.node(layer.node);
  if (Tensor* bias = OwnParameter(graph, layer.bias, shift.size())) {
    const double beta = layer.is_linear ? node.attributes.Float("beta", 1) : 1;
    if (beta == 0) return false;
    AddTo(*bias, shift, std::vector<double>(shift.size(), 1 / beta));
    return true;
  }
  const auto readers = graph.Consumers(node.outputs[0]);
  if (readers.size() != 1 || std::ranges::find(nodes, readers[0]) == nodes.end()) return false;
  const Node& norm = graph.node(readers[0]);
  if (norm.type != OpType::kBatchNormalization) return false;
  if (!IsPerChannel(graph, norm.inputs[1], shift.size())) return false;
  if (!IsPerChannel(graph, norm.inputs[4], shift.size())) return false;
  Tensor* beta = OwnParameter(graph, norm.inputs[2], shift.size());
  if (beta == nullptr) return false;
  const Tensor& gamma = graph.value(norm.inputs[1]).data;
  const Tensor& variance = graph.value(norm.inputs[4]).data;
  const double epsilon = norm.attributes.Float("epsilon", 1e-5);
  std::vector<double> gain;
  for (int64_t c = 0; c < gamma.size(); ++c) {
    gain.push_back(gamma[c] / std::sqrt(variance[c] + epsilon));
  }
  AddTo(*beta, shift, gain);
  return true;
}

std::string CorrectBiases(Graph& student, const std::vector<Layer>& layers, const Unit& unit,
                          const std::map<ValueId, std::vector<double>>& teacher_means,
                          const std::function<std::vector<double>(ValueId)>& means_of) {
  std::string left;
  for (const int index : unit.layers) {
    const Layer& layer = layers[static_cast<size_t>(index)];
    const ValueId output = student.node(layer.node).outputs[0];
    std::vector<double> shift = teacher_means.at(output);
    const std::vector<double> means = means_of(output);
    for (size_t c = 0; c < shift.size(); ++c) shift[c] -= means[c];
    if (ShiftChannels(student, layer, unit.nodes, shift)) continue;
    left += (left.empty() ? "" : ", ") + layer.name;
  }
  if (left.empty()) return "";
  return fmt::format(
      "bias_correction leaves {}: neither a bias nor a batch norm of its own in the unit", left);
}

}  // namespace sparsify
