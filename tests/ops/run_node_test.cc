#include "sparsity/ops/run_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;

// A split in two halves whose second output nothing names.
Graph SplitInTwo() {
  testing::GraphBuilder b("split");
  Graph graph = b.Finish({b.Relu("halves", b.Input({4}))});
  Node& node = graph.mutable_nodes()[0];
  node.type = OpType::kSplit;
  node.attributes.Set("axis", int64_t{1});
  node.attributes.Set("split", std::vector<int64_t>{1, 3});
  node.outputs.push_back(kNoValue);
  return graph;
}

TEST(RunNode, MakesNamedOutputsKnownAndShowsAllOfThem) {
  const Graph graph = SplitInTwo();
  const Tensor x({1, 4}, {1, 2, 3, 4});
  PassValues values;
  values.Reset(graph);
  values.current[static_cast<size_t>(graph.inputs[0].value)] = &x;
  std::vector<Shape> sized;
  size_t seen = 0;
  RunNode(
      graph, graph.node(0),
      [&](Tensor& output, const Shape& shape) {
        sized.push_back(shape);
        output.Resize(shape);
      },
      values,
      [&](const std::vector<const Tensor*>& outputs) {
        seen = outputs.size();
        EXPECT_THAT(outputs[1]->values(), ElementsAre(2, 3, 4));
      });
  EXPECT_EQ(seen, 2U);
  EXPECT_THAT(sized, ElementsAre(Shape{1, 1}, Shape{1, 3}));
  const auto made = static_cast<size_t>(graph.node(0).outputs[0]);
  EXPECT_EQ(values.current[made], &values.owned[made]);
  EXPECT_THAT(values.owned[made].values(), ElementsAre(1));
}

TEST(RunNode, WritesIntoTheMemoryGiven) {
  testing::GraphBuilder b("net");
  const ValueId x = b.Input({4});
  const Graph graph = b.Finish({b.Relu("relu", x)});
  const Tensor image({1, 4}, {-1, 2, -3, 4});
  PassValues values;
  values.Reset(graph);
  values.current[static_cast<size_t>(x)] = &image;
  const auto out = static_cast<size_t>(graph.node(0).outputs[0]);
  values.owned[out] = Tensor(Shape{1, 4});
  const float* memory = values.owned[out].data();
  RunNode(
      graph, graph.node(0), [](Tensor& output, const Shape& shape) { output.Resize(shape); },
      values);
  EXPECT_EQ(values.owned[out].data(), memory);
  EXPECT_THAT(values.owned[out].values(), ElementsAre(0, 2, 0, 4));
}

TEST(RunNode, NamesTheInputThatIsMissing) {
  testing::GraphBuilder b("net");
  const ValueId x = b.Input({4}, "image");
  const Graph graph = b.Finish({b.Relu("relu", x)});
  PassValues values;
  values.Reset(graph);
  EXPECT_EQ(testing::MessageOf([&] {
              RunNode(
                  graph, graph.node(0), [](Tensor&, const Shape&) {}, values);
            }),
            "relu: its input \"image\" is not known here");
}

}  // namespace
}  // namespace sparsify
