#include "reconstruction/unit.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sparsity/graph/fold_batch_norm.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::MessageOf;

// Every unit as its layers, "a b c".
std::vector<std::string> Units(const Graph& graph, UnitPattern pattern) {
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  std::vector<std::string> texts;
  for (const Unit& unit : FindUnits(graph, layers, pattern)) {
    std::string text;
    for (const int layer : unit.layers) {
      if (!text.empty()) text += ' ';
      text += layers[static_cast<size_t>(layer)].name;
    }
    texts.push_back(text);
  }
  return texts;
}

// The nodes of each unit by name.
std::vector<std::string> Nodes(const Graph& graph, UnitPattern pattern, size_t unit) {
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  std::vector<std::string> names;
  const auto units = FindUnits(graph, layers, pattern);
  for (const int node : units.at(unit).nodes) {
    names.push_back(graph.node(node).name);
  }
  return names;
}

TEST(FindUnits, BlocksOfAResidualNetwork) {
  const Graph graph = testing::SmallResidualNet();
  for (const Graph& g : {graph, FoldBatchNorms(graph)}) {
    EXPECT_THAT(Units(g, UnitPattern::kBlock),
                ElementsAre("stem", "block.conv1 block.conv2 block.down", "fc"));
  }
  const Graph folded = FoldBatchNorms(graph);
  EXPECT_THAT(Nodes(folded, UnitPattern::kBlock, 0), ElementsAre("stem", "stem.relu"));
  EXPECT_THAT(Nodes(folded, UnitPattern::kBlock, 1),
              ElementsAre("block.conv1", "block.relu1", "block.conv2", "block.down", "block.add",
                          "block.relu2"));
  EXPECT_THAT(Nodes(folded, UnitPattern::kBlock, 2), ElementsAre("pool", "flatten", "fc"));
}

TEST(FindUnits, SqueezeAndExciteStaysInsideItsBlock) {
  const Graph graph = testing::SmallMobileNet();
  EXPECT_THAT(Units(graph, UnitPattern::kBlock),
              ElementsAre("stem", "expand depthwise se.down se.up project", "fc"));
}

TEST(FindUnits, LayersTakeTheirActivationsAlong) {
  const Graph graph = FoldBatchNorms(testing::SmallResidualNet());
  EXPECT_THAT(Units(graph, UnitPattern::kLayer),
              ElementsAre("stem", "block.conv1", "block.conv2", "block.down", "fc"));
  EXPECT_THAT(Nodes(graph, UnitPattern::kLayer, 1), ElementsAre("block.conv1", "block.relu1"));
  EXPECT_THAT(Nodes(graph, UnitPattern::kLayer, 2), ElementsAre("block.conv2"));
  EXPECT_THAT(Nodes(graph, UnitPattern::kIndependent, 1), ElementsAre("block.conv1"));
  EXPECT_THAT(Units(graph, UnitPattern::kNetwork),
              ElementsAre("stem block.conv1 block.conv2 block.down fc"));
}

TEST(FindUnits, ChainsHoldUpToThreeLayers) {
  GraphBuilder b("chain");
  ValueId x = b.Input({3, 8, 8});
  for (int i = 0; i < 7; ++i) {
    const std::string name = fmt::format("c{}", i);
    x = b.Relu(name + ".relu", b.Conv(name, x, i == 0 ? 3 : 4, 4, 3));
    if (i == 2) {
      x = b.Op(OpType::kMaxPool, "pool", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
    }
  }
  const Graph graph = b.Finish({x});
  EXPECT_THAT(Units(graph, UnitPattern::kBlock), ElementsAre("c0 c1 c2", "c3 c4 c5", "c6"));
  // A target before the pool says more than one behind it.
  EXPECT_THAT(Nodes(graph, UnitPattern::kBlock, 1),
              ElementsAre("pool", "c3", "c3.relu", "c4", "c4.relu", "c5", "c5.relu"));
}

// expand, depthwise, (squeeze-excite), linear projection; no skip.
ValueId Bottleneck(GraphBuilder& b, const std::string& name, ValueId x, bool gate) {
  ValueId y = b.Relu(name + ".r1", b.BatchNorm(name + ".b1", b.Conv(name + ".e", x, 4, 8, 1), 8));
  y = b.Relu(name + ".r2", b.BatchNorm(name + ".b2", b.Conv(name + ".d", y, 8, 8, 3, 1, 8), 8));
  if (gate) {
    const ValueId pooled = b.Op(OpType::kGlobalAveragePool, name + ".gap", {y});
    const ValueId down = b.Relu(name + ".r3", b.Conv(name + ".s1", pooled, 8, 2, 1));
    const ValueId up = b.Op(OpType::kSigmoid, name + ".sig", {b.Conv(name + ".s2", down, 2, 8, 1)});
    y = b.Op(OpType::kMul, name + ".mul", {up, y});
  }
  return b.BatchNorm(name + ".b4", b.Conv(name + ".p", y, 8, 4, 1), 4);
}

TEST(FindUnits, LinearBottlenecksWithoutSkipAreUnitsOfTheirOwn) {
  GraphBuilder b("mobile");
  const ValueId x = b.Input({3, 8, 8});
  // As in MobileNetV2 the stem goes with a first bottleneck that does not expand.
  ValueId y = b.Relu("stem.relu", b.Conv("stem", x, 3, 4, 3));
  y = b.Relu("first.relu", b.Conv("first.d", y, 4, 4, 3, 1, 4));
  y = b.Conv("first.p", y, 4, 4, 1);
  y = Bottleneck(b, "m1", y, false);
  y = Bottleneck(b, "m2", y, true);
  y = b.Op(OpType::kAdd, "m3.add", {Bottleneck(b, "m3", y, true), y});
  y = Bottleneck(b, "m4", y, true);
  const Graph graph = b.Finish({b.Relu("head.relu", b.Conv("head", y, 4, 8, 1))});
  for (const Graph& g : {graph, FoldBatchNorms(graph)}) {
    EXPECT_THAT(Units(g, UnitPattern::kBlock),
                ElementsAre("stem first.d first.p", "m1.e m1.d m1.p", "m2.e m2.d m2.s1 m2.s2 m2.p",
                            "m3.e m3.d m3.s1 m3.s2 m3.p", "m4.e m4.d m4.s1 m4.s2 m4.p", "head"));
  }
}

TEST(FindUnits, FireModulesTakeTheirSqueezeLayer) {
  GraphBuilder b("fire");
  const ValueId x = b.Input({3, 8, 8});
  ValueId y = b.Relu("stem.relu", b.Conv("stem", x, 3, 4, 3));
  for (const std::string name : {"f1", "f2"}) {
    y = b.Op(OpType::kMaxPool, name + ".pool", {y}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
    const ValueId s = b.Relu(name + ".s.relu", b.Conv(name + ".s", y, 4, 2, 1));
    const ValueId e1 = b.Relu(name + ".e1.relu", b.Conv(name + ".e1", s, 2, 2, 1));
    const ValueId e3 = b.Relu(name + ".e3.relu", b.Conv(name + ".e3", s, 2, 2, 3));
    y = b.Op(OpType::kConcat, name + ".cat", {e1, e3}, {{"axis", int64_t{1}}});
  }
  const Graph graph = b.Finish({b.Conv("head", y, 4, 5, 1)});
  EXPECT_THAT(Units(graph, UnitPattern::kBlock),
              ElementsAre("stem", "f1.s f1.e1 f1.e3", "f2.s f2.e1 f2.e3", "head"));
  EXPECT_EQ(Nodes(graph, UnitPattern::kBlock, 1).front(), "f1.pool");
  EXPECT_EQ(Nodes(graph, UnitPattern::kBlock, 1).back(), "f1.cat");
}

TEST(FindUnits, AnOutputInTheMiddleDoesNotGlueBlocksTogether) {
  GraphBuilder b("outputs");
  const ValueId x = b.Input({3, 4, 4});
  const ValueId early = b.Relu("a.relu", b.Conv("a", x, 3, 4, 1));
  ValueId y = early;
  for (const std::string name : {"r1", "r2"}) {
    const ValueId inner = b.Relu(name + ".relu", b.Conv(name + ".c1", y, 4, 4, 1));
    y = b.Op(OpType::kAdd, name + ".add", {b.Conv(name + ".c2", inner, 4, 4, 1), y});
  }
  const Graph graph = b.Finish({early, y});
  EXPECT_THAT(Units(graph, UnitPattern::kBlock), ElementsAre("a", "r1.c1 r1.c2", "r2.c1 r2.c2"));
}

TEST(FindUnits, ActivationsMadeOfTwoNodesFollowTheirLayer) {
  GraphBuilder b("swish");
  const ValueId x = b.Input({3, 4, 4});
  const ValueId y = b.Conv("a", x, 3, 4, 1);
  const ValueId z = b.Op(OpType::kMul, "a.mul", {y, b.Op(OpType::kSigmoid, "a.sig", {y})});
  const Graph graph = b.Finish({b.Conv("b", z, 4, 4, 1)});
  EXPECT_THAT(Units(graph, UnitPattern::kBlock), ElementsAre("a b"));
}

TEST(FindUnits, BlocksCoverEveryNodeOnceAndHangTogether) {
  for (const Graph& graph : {testing::SmallResidualNet(), testing::SmallMobileNet()}) {
    const auto layers = FindLayers(graph, InferShapes(graph, 1));
    std::set<int> seen;
    std::set<ValueId> known = {graph.inputs[0].value};
    for (const Unit& unit : FindUnits(graph, layers, UnitPattern::kBlock)) {
      for (const int node : unit.nodes) EXPECT_TRUE(seen.insert(node).second);
      for (const ValueId id : unit.inputs) EXPECT_TRUE(known.contains(id));
      EXPECT_EQ(unit.inputs.size(), 1U);
      EXPECT_EQ(unit.outputs.size(), 1U);
      known.insert(unit.outputs.begin(), unit.outputs.end());
    }
    EXPECT_EQ(seen.size(), graph.nodes().size());
    EXPECT_TRUE(known.contains(graph.outputs[0].value));
  }
}

TEST(FindUnits, AreNamedAndDescribed) {
  const Graph graph = FoldBatchNorms(testing::SmallResidualNet());
  const auto layers = FindLayers(graph, InferShapes(graph, 1));
  const auto units = FindUnits(graph, layers, UnitPattern::kBlock);
  EXPECT_EQ(units[0].name, "stem");
  EXPECT_EQ(units[1].name, "block.conv1 … block.down");
  EXPECT_THAT(DescribeUnits(graph, layers, units),
              HasSubstr("  2  6 nodes  stem.relu.out → block.relu2.out\n"
                        "     block.conv1, block.conv2, block.down\n"));
  EXPECT_EQ(UnitPatternName(UnitPattern::kLayer), "layer");
  EXPECT_EQ(UnitPatternName(UnitPattern::kBlock), "block");
  EXPECT_EQ(UnitPatternName(UnitPattern::kIndependent), "independent");
  EXPECT_EQ(UnitPatternName(UnitPattern::kNetwork), "network");
  EXPECT_EQ(UnitPatternFromName("key", "block"), UnitPattern::kBlock);
  EXPECT_EQ(MessageOf([] { UnitPatternFromName("key", "blocks"); }),
            "key: unknown unit \"blocks\"; known: layer, block, independent, network");
}

TEST(FindUnits, RefusesANetworkWithoutLayers) {
  GraphBuilder b("empty");
  const Graph graph = b.Finish({b.Relu("relu", b.Input({3}))});
  EXPECT_EQ(MessageOf([&] { FindUnits(graph, {}, UnitPattern::kBlock); }),
            "empty: the network has no convolution and no fully connected layer to reconstruct");
}

}  // namespace
}  // namespace sparsify
