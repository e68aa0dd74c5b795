#include "reconstruction/layer_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/graph/logits.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

std::vector<Layer> LayersOf(const Graph& graph) { return FindLayers(graph, InferShapes(graph, 1)); }

Batch Images(const Shape& shape) {
  Batch batch;
  LoadBatch(RandomImages(4, shape), 0, 4, batch);
  return batch;
}

/// Every activation of a forward pass, the images included.
CutValues AllActivations(const Graph& graph, const Tensor& images) {
  CutValues values;
  values[graph.inputs[0].value] = images;
  Interpreter(graph).Run({&images}, [&](int node, const std::vector<const Tensor*>& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) values[graph.node(node).outputs[i]] = *outputs[i];
  });
  return values;
}

Tensor Changed(const Tensor& weight) {
  Tensor changed = weight;
  for (int64_t i = 0; i < changed.size(); i += 2) changed[i] = 0;
  return changed;
}

/// The whole network with the weight (and bias) replaced.
Tensor Reference(Graph graph, const Layer& layer, const Tensor& weight, const Tensor* bias,
                 const Tensor& images) {
  graph.mutable_value(layer.weight).data = weight;
  if (bias != nullptr) {
    Node& node = graph.mutable_nodes()[static_cast<size_t>(layer.node)];
    node.inputs.resize(3, kNoValue);
    node.inputs[2] = graph.AddParameter("new.bias", *bias);
  }
  return std::move(Interpreter(graph).Run({&images})[0]);
}

class EveryLayer : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryLayer, GivesTheWholeNetworksOutput) {
  const bool residual = std::string(GetParam()) == "residual";
  const Graph graph = residual ? testing::SmallResidualNet() : testing::SmallMobileNet();
  const Batch batch = Images({3, 16, 16});
  const CutValues all = AllActivations(graph, batch.images);
  int made = 0;
  const NetworkMaker counted = [&](const Graph& suffix, int64_t) {
    ++made;
    return [&suffix](const std::vector<const Tensor*>& inputs, Tensor& output) {
      output = std::move(Interpreter(suffix).Run(inputs)[0]);
    };
  };
  for (const Layer& layer : LayersOf(graph)) {
    LayerRunner runner(graph, layer, LogitsOf(graph), 4, counted);
    CutValues cut;
    for (const ValueId id : runner.reads()) {
      EXPECT_LT(graph.Producer(id), layer.node) << layer.name;
      cut[id] = all.at(id);
    }
    const Tensor weight = Changed(graph.value(layer.weight).data);
    Tensor bias({layer.weight_shape[0]});
    bias.Fill(0.3F);
    Tensor output;
    for (const Tensor* b : {ParameterBias(graph, layer), const_cast<const Tensor*>(&bias)}) {
      runner.Run(cut, weight, b, output);
      const Tensor expected = Reference(graph, layer, weight, b, batch.images);
      ASSERT_EQ(output.size(), expected.size());
      EXPECT_THAT(output.values(),
                  ::testing::Pointwise(::testing::FloatNear(1e-4F), expected.values()))
          << layer.name;
    }
  }
  EXPECT_GT(made, 2);
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryLayer, ::testing::Values("residual", "mobile"),
                         [](const auto& network) { return std::string(network.param); });

// One weight, two nodes: both see the change.
TEST(LayerRunner, ChangesASharedWeightEverywhere) {
  testing::GraphBuilder b("shared");
  ValueId x = b.Input({8});
  Tensor weight({8, 8});
  Random random(4);
  for (float& v : weight.values()) v = static_cast<float>(random.Normal());
  const ValueId w = b.Parameter("w.weight", std::move(weight));
  x = b.Relu("relu", b.Op(OpType::kGemm, "first", {x, w}, {{"transB", int64_t{1}}}));
  const Graph graph = b.Finish({b.Op(OpType::kGemm, "second", {x, w}, {{"transB", int64_t{1}}})});
  const Layer layer = LayersOf(graph).at(0);
  EXPECT_TRUE(IsShared(graph, layer));
  const Batch batch = Images({8});
  LayerRunner runner(graph, layer, LogitsOf(graph), 4, {});
  EXPECT_THAT(runner.reads(), ElementsAre(graph.inputs[0].value));
  CutValues cut = {{graph.inputs[0].value, batch.images}};
  const Tensor changed = Changed(graph.value(layer.weight).data);
  Tensor output;
  runner.Run(cut, changed, nullptr, output);
  const Tensor expected = Reference(graph, layer, changed, nullptr, batch.images);
  EXPECT_THAT(output.values(), ElementsAreArray(expected.values()));
}

TEST(SuffixBehind, IsEmptyWhereTheOutputIsMadeBefore) {
  testing::GraphBuilder b("soft");
  const ValueId logits = b.Linear("fc", b.Input({6}), 6, 3);
  const Graph graph = b.Finish({b.Op(OpType::kSoftmax, "softmax", {logits})});
  const NetworkSuffix suffix = SuffixBehind(graph, 1, logits, 2);
  EXPECT_TRUE(suffix.graph.nodes().empty());
  EXPECT_THAT(suffix.inputs, ElementsAre(logits));
}

TEST(SuffixBehind, HoldsOnlyWhatTheOutputNeeds) {
  const Graph graph = testing::SmallResidualNet();
  const auto layers = LayersOf(graph);
  const Layer& conv1 = layers.at(static_cast<size_t>(FindLayer(layers, "block.conv1")));
  const NetworkSuffix suffix = SuffixBehind(graph, conv1.node + 1, LogitsOf(graph), 4);
  // The projection still reads the stem's output.
  EXPECT_EQ(suffix.inputs.size(), 2U);
  EXPECT_EQ(suffix.graph.FindValue("stem.weight"), kNoValue);
  EXPECT_EQ(suffix.graph.FindValue("block.conv1.weight"), kNoValue);
  EXPECT_NE(suffix.graph.FindValue("block.down.weight"), kNoValue);
  for (const Port& port : suffix.graph.inputs) EXPECT_EQ(port.shape[0], -1);
}

}  // namespace
}  // namespace sparsify
