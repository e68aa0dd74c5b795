#include "sparsity/executor/fuse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using testing::GraphBuilder;

std::vector<std::string> Ops(const Graph& graph) {
  std::vector<std::string> ops;
  for (const FusedStep& step : Fuse(graph, 2).steps) ops.push_back(step.op);
  return ops;
}

TEST(Fuse, ResidualNetworkBecomesSixSteps) {
  EXPECT_THAT(
      Ops(testing::SmallResidualNet()),
      ElementsAre("Conv+Relu", "Conv+Relu", "Conv", "Conv+Add+Relu", "GlobalAveragePool", "Gemm"));
}

TEST(Fuse, MobileNetworkKeepsSqueezeAndExciteAsSteps) {
  EXPECT_THAT(Ops(testing::SmallMobileNet()),
              ElementsAre("Conv+HardSwish", "Conv+Clip", "Conv", "GlobalAveragePool", "Conv+Relu",
                          "Conv+HardSigmoid", "Mul", "Conv+Add", "GlobalAveragePool", "Gemm"));
}

TEST(Fuse, LayersAreNamedAfterTheirWeights) {
  const FusedGraph fused = Fuse(testing::SmallResidualNet(), 1);
  std::vector<std::string> layers;
  for (const FusedStep& step : fused.steps) {
    if (step.is_layer) layers.push_back(step.name);
  }
  EXPECT_THAT(layers, ElementsAre("stem", "block.conv1", "block.conv2", "block.down", "fc"));
}

TEST(Fuse, GatesBecomeOneActivation) {
  GraphBuilder b;
  const ValueId x = b.Conv("c1", b.Input({3, 4, 4}), 3, 8, 3);
  const ValueId swish = b.Op(OpType::kMul, "m1", {x, b.Op(OpType::kSigmoid, "s1", {x})});
  const ValueId y = b.Conv("c2", swish, 8, 8, 1);
  const ValueId gate = b.Op(OpType::kHardSigmoid, "s2", {y}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
  EXPECT_THAT(Ops(b.Finish({b.Op(OpType::kMul, "m2", {gate, y})})),
              ElementsAre("Conv+SiLU", "Conv+HardSwish"));
}

TEST(Fuse, AnotherHardSigmoidIsNoHardSwish) {
  GraphBuilder b;
  const ValueId x = b.Conv("c1", b.Input({3, 4, 4}), 3, 8, 3);
  const ValueId gate = b.Op(OpType::kHardSigmoid, "s", {x}, {{"alpha", 0.2}, {"beta", 0.5}});
  EXPECT_THAT(Ops(b.Finish({b.Op(OpType::kMul, "m", {x, gate})})),
              ElementsAre("Conv", "HardSigmoid", "Mul"));
}

TEST(Fuse, AValueThatIsReadTwiceIsNotFusedAway) {
  GraphBuilder b;
  const ValueId x = b.Conv("c1", b.Input({3, 4, 4}), 3, 8, 3);
  const ValueId y = b.Relu("r", x);
  const ValueId z =
      b.Op(OpType::kMaxPool, "p", {x}, {{"kernel_shape", std::vector<int64_t>{1, 1}}});
  EXPECT_THAT(Ops(b.Finish({y, z})), ElementsAre("Conv", "Relu", "MaxPool"));
}

TEST(Fuse, TheAdditionGoesToTheLaterConvolution) {
  GraphBuilder b;
  const ValueId x = b.Input({8, 4, 4});
  const ValueId first = b.Conv("first", x, 8, 8, 3);
  const ValueId second = b.Conv("second", x, 8, 8, 3);
  const FusedGraph fused = Fuse(b.Finish({b.Op(OpType::kAdd, "add", {first, second})}), 1);
  ASSERT_EQ(fused.steps.size(), 2U);
  EXPECT_EQ(fused.steps[1].name, "second");
  EXPECT_EQ(fused.steps[1].residual, fused.steps[0].outputs[0]);
}

TEST(Fuse, ABroadcastAdditionIsNoResidual) {
  GraphBuilder b;
  const ValueId x = b.Input({8, 4, 4});
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {x});
  const ValueId y = b.Conv("c", x, 8, 8, 3);
  EXPECT_THAT(Ops(b.Finish({b.Op(OpType::kAdd, "add", {y, pooled})})),
              ElementsAre("GlobalAveragePool", "Conv", "Add"));
}

TEST(Fuse, DeadNodesAndViewsVanish) {
  GraphBuilder b;
  const ValueId x = b.Op(OpType::kDropout, "drop", {b.Input({8, 4, 4})});
  b.Conv("unused", x, 8, 8, 3);
  const ValueId y = b.Op(OpType::kIdentity, "same", {b.Conv("c", x, 8, 8, 3)});
  EXPECT_THAT(Ops(b.Finish({y})), ElementsAre("Conv"));
}

TEST(Fuse, BatchNormThatCannotBeFoldedIsADepthwiseConvolution) {
  GraphBuilder b;
  const ValueId x = b.Input({8, 4, 4});
  const FusedGraph fused = Fuse(b.Finish({b.Relu("r", b.BatchNorm("bn", x, 8))}), 2);
  ASSERT_EQ(fused.steps.size(), 1U);
  EXPECT_EQ(fused.steps[0].node.type, OpType::kConv);
  EXPECT_EQ(fused.steps[0].node.attributes.Int("group", 1), 8);
  EXPECT_FALSE(fused.steps[0].is_layer);
}

TEST(Fuse, CountsMultiplyAddsOfTheWholeBatch) {
  GraphBuilder b;
  const ValueId x = b.Conv("c", b.Input({4, 6, 6}), 4, 10, 3);
  const ValueId flat = b.Op(OpType::kFlatten, "f", {x});
  const FusedGraph fused = Fuse(b.Finish({b.Linear("fc", flat, 360, 7)}), 3);
  ASSERT_EQ(fused.steps.size(), 2U);
  EXPECT_EQ(fused.steps[0].macs, 3 * 10 * 36 * 4 * 9);
  EXPECT_EQ(fused.steps[1].macs, 3 * 360 * 7);
}

}  // namespace
}  // namespace sparsify
