// Prunable layers: the convolutions and fully connected nodes that own a weight.
//
// "Layer" throughout the project means one of these; its name is the weight's value
// name without a trailing ".weight", which is what no_prune_layer, sparsity tables and
// reports use. A weight that feeds several nodes makes one layer (the first node's).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

struct Layer {
  std::string name;
  int node = -1;              // index into graph.nodes()
  ValueId weight = kNoValue;  // O×I×KH×KW or O×I
  ValueId bias = kNoValue;
  bool is_linear = false;     // Gemm or MatMul
  bool is_depthwise = false;  // groups == input channels > 1 and one input channel a group
  int64_t groups = 1;
  Shape weight_shape;
  int64_t parameters = 0;  // elements of the weight alone
  int64_t macs = 0;        // multiply-accumulates per image, dense
  Shape input_shape;       // per image: C×H×W, or I
  Shape output_shape;      // per image: O×H×W, or O
};

/// Layers in topological order. `shapes` holds the shape of every value for batch 1
/// (InferShapes in ops/infer_shapes.h).
std::vector<Layer> FindLayers(const Graph& graph, const std::vector<Shape>& shapes);

/// Index of the layer with this name, or −1.
int FindLayer(const std::vector<Layer>& layers, std::string_view name);

}  // namespace sparsify
