// The smallest network that can differ in a weight and in an attribute.
#pragma once

#include "sparsity/graph/graph.h"

namespace sparsify::testing {

/// One 1×1 convolution of a 1×4×4 image, with this weight and stride.
inline Graph SmallGraph(float weight, int64_t stride) {
  Graph graph;
  const ValueId x = graph.AddActivation("x");
  const ValueId w = graph.AddParameter("w", Tensor({1, 1, 1, 1}, {weight}));
  const ValueId y = graph.AddActivation("y");
  Node node = {"conv", OpType::kConv, {x, w}, {y}, {}};
  node.attributes.Set("strides", std::vector<int64_t>{stride, stride});
  graph.AddNode(node);
  graph.inputs = {{x, {-1, 1, 4, 4}}};
  graph.outputs = {{y, {-1, 1, 4, 4}}};
  return graph;
}

}  // namespace sparsify::testing
