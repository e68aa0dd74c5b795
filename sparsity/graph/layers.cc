#include "sparsity/graph/layers.h"

#include <algorithm>
#include <set>

namespace sparsify {
namespace {

std::string LayerName(const std::string& weight_name) {
  constexpr std::string_view kSuffix = ".weight";
  if (weight_name.size() > kSuffix.size() && weight_name.ends_with(kSuffix)) {
    return weight_name.substr(0, weight_name.size() - kSuffix.size());
  }
  return weight_name;
}

Shape PerImage(const Shape& shape) {
  const auto& dims = shape.dims();
  return Shape(std::vector<int64_t>(dims.begin() + (dims.empty() ? 0 : 1), dims.end()));
}

bool OwnsWeight(const Graph& graph, const Node& node) {
  const bool weighted =
      node.type == OpType::kConv || node.type == OpType::kGemm || node.type == OpType::kMatMul;
  return weighted && node.inputs.size() >= 2 && node.inputs[1] != kNoValue &&
         graph.value(node.inputs[1]).is_parameter;
}

Layer MakeLayer(const Graph& graph, int index, const std::vector<Shape>& shapes) {
  const Node& node = graph.node(index);
  Layer layer;
  layer.node = index;
  layer.weight = node.inputs[1];
  layer.bias = node.inputs.size() > 2 ? node.inputs[2] : kNoValue;
  layer.name = LayerName(graph.value(layer.weight).name);
  layer.is_linear = node.type != OpType::kConv;
  layer.groups = node.attributes.Int("group", 1);
  layer.weight_shape = graph.value(layer.weight).data.shape();
  layer.parameters = layer.weight_shape.NumElements();
  layer.is_depthwise = !layer.is_linear && layer.groups > 1 && layer.weight_shape[1] == 1;
  layer.input_shape = PerImage(shapes.at(static_cast<size_t>(node.inputs[0])));
  layer.output_shape = PerImage(shapes.at(static_cast<size_t>(node.outputs[0])));
  const int64_t positions =
      layer.output_shape.NumElements() / std::max<int64_t>(1, layer.weight_shape[0]);
  layer.macs = layer.parameters * positions;
  return layer;
}

}  // namespace

std::vector<Layer> FindLayers(const Graph& graph, const std::vector<Shape>& shapes) {
  std::vector<Layer> layers;
  std::set<ValueId> seen;
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node& node = graph.node(i);
    if (!OwnsWeight(graph, node) || !seen.insert(node.inputs[1]).second) continue;
    layers.push_back(MakeLayer(graph, i, shapes));
  }
  return layers;
}

int FindLayer(const std::vector<Layer>& layers, std::string_view name) {
  const auto it = std::find_if(layers.begin(), layers.end(),
                               [name](const Layer& layer) { return layer.name == name; });
  return it == layers.end() ? -1 : static_cast<int>(it - layers.begin());
}

}  // namespace sparsify
