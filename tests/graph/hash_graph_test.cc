#include "sparsity/graph/hash_graph.h"

#include <gtest/gtest.h>

#include "sparsity/base/hash.h"

namespace sparsify {
namespace {

Graph SmallGraph(float weight, int64_t stride) {
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

}  // namespace

TEST(HashGraph, SeesWeightsAndAttributes) {
  EXPECT_EQ(HashGraph(SmallGraph(1, 1)), HashGraph(SmallGraph(1, 1)));
  EXPECT_NE(HashGraph(SmallGraph(1, 1)), HashGraph(SmallGraph(2, 1)));
  EXPECT_NE(HashGraph(SmallGraph(1, 1)), HashGraph(SmallGraph(1, 2)));
  EXPECT_EQ(HashGraph(SmallGraph(1, 1)).size(), 16U);
}

}  // namespace sparsify
