#include "sparsity/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/graph/layers.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

// x -> Conv(w) -> Relu -> y, nodes added out of order.
Graph ConvRelu() {
  Graph graph;
  graph.name = "net";
  const ValueId x = graph.AddActivation("x");
  const ValueId w = graph.AddParameter("conv1.weight", Tensor(Shape{4, 2, 3, 3}));
  const ValueId c = graph.AddActivation("c");
  const ValueId y = graph.AddActivation("y");
  graph.AddNode({"relu", OpType::kRelu, {c}, {y}, {}});
  graph.AddNode({"conv", OpType::kConv, {x, w}, {c}, {}});
  graph.inputs = {{x, {-1, 2, 8, 8}}};
  graph.outputs = {{y, {-1, 4, 6, 6}}};
  return graph;
}

std::string MessageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Graph, SortsTopologically) {
  Graph graph = ConvRelu();
  graph.SortAndCheck();
  EXPECT_EQ(graph.node(0).name, "conv");
  EXPECT_EQ(graph.Producer(graph.FindValue("y")), 1);
  EXPECT_EQ(graph.Consumers(graph.FindValue("c")), std::vector<int>{1});
  EXPECT_TRUE(graph.IsOutput(graph.FindValue("y")));
  EXPECT_FALSE(graph.IsOutput(graph.FindValue("c")));
}

TEST(Graph, RefusesCyclesMissingValuesAndDoubleWriters) {
  Graph cycle = ConvRelu();
  cycle.mutable_nodes()[1].inputs[0] = cycle.FindValue("y");
  EXPECT_THAT(MessageOf([&] { cycle.SortAndCheck(); }), HasSubstr("cycle"));

  Graph missing = ConvRelu();
  missing.mutable_nodes()[1].inputs[0] = missing.AddActivation("ghost");
  EXPECT_THAT(MessageOf([&] { missing.SortAndCheck(); }), HasSubstr("which nothing makes"));

  Graph twice = ConvRelu();
  twice.mutable_nodes()[1].outputs[0] = twice.FindValue("y");
  EXPECT_THAT(MessageOf([&] { twice.SortAndCheck(); }), HasSubstr("made twice"));

  Graph range = ConvRelu();
  range.mutable_nodes()[1].inputs[0] = 99;
  EXPECT_THAT(MessageOf([&] { range.SortAndCheck(); }), HasSubstr("refers to value 99"));
}

TEST(Graph, NamesAreUnique) {
  Graph graph = ConvRelu();
  EXPECT_THROW(graph.AddActivation("x"), Error);
  EXPECT_THROW(graph.AddActivation(""), Error);
}

TEST(Graph, ReportsNonFiniteWeights) {
  Graph graph = ConvRelu();
  graph.mutable_value(graph.FindValue("conv1.weight")).data[5] = NAN;
  EXPECT_THAT(
      MessageOf([&] { CheckParametersFinite(graph, "m.onnx"); }),
      HasSubstr("m.onnx: weight \"conv1.weight\" of shape [4,2,3,3] holds nan at flat index 5"));
}

TEST(Layers, KnowNameMacsAndShape) {
  Graph graph = ConvRelu();
  graph.SortAndCheck();
  std::vector<Shape> shapes(graph.values().size());
  shapes[static_cast<size_t>(graph.FindValue("x"))] = {1, 2, 8, 8};
  shapes[static_cast<size_t>(graph.FindValue("c"))] = {1, 4, 6, 6};
  const auto layers = FindLayers(graph, shapes);
  ASSERT_EQ(layers.size(), 1U);
  EXPECT_EQ(layers[0].name, "conv1");
  EXPECT_EQ(layers[0].macs, 4 * 2 * 9 * 36);
  EXPECT_FALSE(layers[0].is_depthwise);
  EXPECT_EQ(FindLayer(layers, "conv1"), 0);
  EXPECT_EQ(FindLayer(layers, "conv2"), -1);
}

TEST(Attributes, ConvertAndRefuse) {
  Attributes attributes;
  attributes.Set("group", int64_t{2});
  EXPECT_EQ(attributes.Int("group", 1), 2);
  EXPECT_EQ(attributes.Float("group", 1), 2.0);
  EXPECT_EQ(attributes.Int("absent", 3), 3);
  EXPECT_THROW(attributes.Ints("group", {}), Error);
}

}  // namespace
}  // namespace sparsify
