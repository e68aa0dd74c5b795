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

/// A convolution of this kernel, size and groups, a Relu and a MaxPool with these attributes.
Graph ConvAndPool(int64_t kernel, int64_t groups, testing::AttributeList attributes = {}) {
  GraphBuilder b;
  const ValueId x = b.Relu("r", b.Conv("c", b.Input({8, 6, 6}), 8, 8, kernel, 1, groups));
  attributes.emplace_back("kernel_shape", std::vector<int64_t>{2, 2});
  return b.Finish({b.Op(OpType::kMaxPool, "p", {x}, attributes)});
}

/// The steps' operators where a core has so much cache.
std::vector<std::string> OpsWithin(int64_t cache_bytes, const Graph& graph) {
  std::vector<std::string> ops;
  for (const FusedStep& step : Fuse(graph, 2, cache_bytes).steps) ops.push_back(step.op);
  return ops;
}

TEST(Fuse, APoolGoesAlongWhereTheCacheDoesNotHoldWhatItReads) {
  constexpr int64_t kBytes = 2 * 8 * 6 * 6 * 4;
  EXPECT_THAT(OpsWithin(kBytes - 1, ConvAndPool(3, 1)), ElementsAre("Conv+Relu+MaxPool"));
  EXPECT_THAT(OpsWithin(kBytes, ConvAndPool(3, 1)), ElementsAre("Conv+Relu", "MaxPool"));
  // By itself Fuse takes the machine's cache.
  EXPECT_THAT(Ops(ConvAndPool(3, 1)), ElementsAre("Conv+Relu", "MaxPool"));
}

TEST(Fuse, PoolsOfOtherKindsStaySteps) {
  EXPECT_THAT(OpsWithin(1, ConvAndPool(1, 1)), ElementsAre("Conv+Relu", "MaxPool"));
  EXPECT_THAT(OpsWithin(1, ConvAndPool(3, 8)), ElementsAre("Conv+Relu", "MaxPool"));
  EXPECT_THAT(OpsWithin(1, ConvAndPool(3, 2)), ElementsAre("Conv+Relu+MaxPool"));
  const testing::AttributeList dilated = {{"dilations", std::vector<int64_t>{1, 2}}};
  EXPECT_THAT(OpsWithin(1, ConvAndPool(3, 1, dilated)), ElementsAre("Conv+Relu", "MaxPool"));
}

TEST(Fuse, NothingIsTakenBehindAPool) {
  GraphBuilder b;
  const std::vector<int64_t> twos = {2, 2};
  const ValueId x = b.Conv("c", b.Input({8, 6, 6}), 8, 8, 3);
  const ValueId pooled = b.Op(OpType::kMaxPool, "p", {x}, {{"kernel_shape", twos}});
  const ValueId again = b.Op(OpType::kMaxPool, "q", {pooled}, {{"kernel_shape", twos}});
  EXPECT_THAT(OpsWithin(1, b.Finish({b.Op(OpType::kSigmoid, "s", {again})})),
              ElementsAre("Conv+MaxPool", "MaxPool", "Sigmoid"));
}

TEST(Fuse, AConvolutionWithAResidualLeavesThePool) {
  GraphBuilder b;
  const ValueId x = b.Input({8, 6, 6});
  const ValueId sum = b.Op(OpType::kAdd, "a", {b.Conv("c", x, 8, 8, 3), x});
  const Graph graph = b.Finish(
      {b.Op(OpType::kMaxPool, "p", {sum}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})});
  EXPECT_THAT(OpsWithin(1, graph), ElementsAre("Conv+Add", "MaxPool"));
}

TEST(Fuse, AStepWithAPoolStandsForTwo) {
  const FusedGraph whole = Fuse(ConvAndPool(3, 1), 2, 1);
  const FusedGraph parts = Fuse(ConvAndPool(3, 1), 2, 1 << 20);
  ASSERT_EQ(whole.steps.size(), 1U);
  const FusedStep& step = whole.steps[0];
  EXPECT_EQ(step.name, "c");
  EXPECT_TRUE(step.is_layer);
  EXPECT_EQ(step.macs, parts.steps[0].macs);
  EXPECT_EQ(step.outputs, parts.steps[1].outputs);
  const FusedStep conv = step.WithoutPool();
  EXPECT_FALSE(conv.pool);
  EXPECT_EQ(conv.op, "Conv+Relu");
  EXPECT_EQ(conv.inputs, parts.steps[0].inputs);
  EXPECT_EQ(conv.outputs, parts.steps[0].outputs);
  EXPECT_EQ(conv.activation, parts.steps[0].activation);
  const FusedStep pool = step.PoolAlone();
  EXPECT_EQ(pool.op, "MaxPool");
  EXPECT_EQ(pool.name, "p");
  EXPECT_EQ(pool.inputs, parts.steps[1].inputs);
  EXPECT_EQ(pool.outputs, parts.steps[1].outputs);
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
