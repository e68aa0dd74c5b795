#include "sparsity/graph/fold_batch_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sparsity/ops/interpreter.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::RandomTensor;
using testing::RelativeError;

int64_t CountNodes(const Graph& graph, OpType type) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                       [type](const Node& node) { return node.type == type; });
}

void ExpectSameFunction(const Graph& graph, const Graph& folded) {
  Random random(4);
  std::vector<int64_t> dims = graph.inputs[0].shape.dims();
  dims[0] = 3;
  const Tensor x = RandomTensor(random, Shape(dims));
  const auto expected = Interpreter(graph).Run({&x});
  const auto actual = Interpreter(folded).Run({&x});
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_LT(RelativeError(actual[i], expected[i]), 1e-5);
  }
}

TEST(FoldBatchNorms, LeavesTheFunctionUnchanged) {
  for (const Graph& graph : {testing::SmallResidualNet(), testing::SmallMobileNet()}) {
    FoldReport report;
    const Graph folded = FoldBatchNorms(graph, &report);
    EXPECT_EQ(report.folded, CountNodes(graph, OpType::kBatchNormalization));
    EXPECT_TRUE(report.kept.empty());
    EXPECT_EQ(CountNodes(folded, OpType::kBatchNormalization), 0);
    ExpectSameFunction(graph, folded);
  }
}

TEST(FoldBatchNorms, KeepsWeightNamesAndDropsTheStatistics) {
  const Graph folded = FoldBatchNorms(testing::SmallResidualNet());
  EXPECT_NE(folded.FindValue("block.conv1.weight"), kNoValue);
  EXPECT_NE(folded.FindValue("block.conv1.bias"), kNoValue);
  EXPECT_EQ(folded.FindValue("block.bn1.running_mean"), kNoValue);
  EXPECT_EQ(CountParameters(folded),
            3 * 16 * 9 + 16 + 16 * 32 * 9 + 32 + 32 * 32 * 9 + 32 + 16 * 32 + 32 + 32 * 10 + 10);
}

TEST(FoldBatchNorms, KeepsZerosOfTheWeight) {
  Graph graph = testing::SmallResidualNet();
  Tensor& weight = graph.mutable_value(graph.FindValue("block.conv2.weight")).data;
  for (int64_t i = 0; i < weight.size(); i += 3) weight[i] = 0;
  const int64_t zeros = CountZeros(weight);
  const Graph folded = FoldBatchNorms(graph);
  EXPECT_EQ(CountZeros(folded.value(folded.FindValue("block.conv2.weight")).data), zeros);
}

TEST(FoldBatchNorms, FoldsIntoABiasAndIntoGemm) {
  GraphBuilder b;
  const ValueId x = b.Input({4, 5, 5});
  const ValueId conv = b.BatchNorm("bn1", b.Conv("conv", x, 4, 6, 3, 1, 2, true), 6);
  const ValueId flat = b.Op(OpType::kFlatten, "flatten", {conv});
  Graph graph = b.Finish({b.BatchNorm("bn2", b.Linear("fc", flat, 150, 7), 7)});
  for (Node& node : graph.mutable_nodes()) {
    if (node.type != OpType::kGemm) continue;
    node.attributes.Set("alpha", 0.5);
    node.attributes.Set("beta", 3.0);
  }
  const Graph folded = FoldBatchNorms(graph);
  EXPECT_EQ(CountNodes(folded, OpType::kBatchNormalization), 0);
  ExpectSameFunction(graph, folded);
}

// Each of these must stay, be reported with its reason, and still compute the same.
TEST(FoldBatchNorms, ReportsWhatCannotBeFolded) {
  const auto expect_kept = [](const Graph& graph, const std::string& reason) {
    FoldReport report;
    const Graph folded = FoldBatchNorms(graph, &report);
    ASSERT_EQ(report.kept.size(), 1U) << reason;
    EXPECT_EQ(report.kept[0].node, "bn");
    EXPECT_EQ(report.kept[0].reason, reason);
    EXPECT_EQ(CountNodes(folded, OpType::kBatchNormalization), 1);
    ExpectSameFunction(graph, folded);
  };
  {
    GraphBuilder b;
    expect_kept(b.Finish({b.BatchNorm("bn", b.Relu("relu", b.Input({2, 3, 3})), 2)}),
                "its input is made by Relu \"relu\"");
  }
  {
    GraphBuilder b;
    expect_kept(b.Finish({b.BatchNorm("bn", b.Input({2, 3, 3}), 2)}),
                "its input is an input of the network");
  }
  {
    GraphBuilder b;
    const ValueId conv = b.Conv("conv", b.Input({2, 3, 3}), 2, 2, 1);
    expect_kept(b.Finish({b.BatchNorm("bn", conv, 2), conv}),
                "the output of \"conv\" is also used elsewhere");
  }
  {
    GraphBuilder b;
    const ValueId conv = b.Conv("conv", b.Input({2, 3, 3}), 2, 2, 1);
    const ValueId norm = b.BatchNorm("bn", conv, 2);
    expect_kept(b.Finish({b.Op(OpType::kAdd, "add", {norm, conv})}),
                "the output of \"conv\" is also used elsewhere");
  }
  {
    GraphBuilder b;
    const ValueId x = b.Input({2, 3, 3});
    Random random(1);
    const ValueId w = b.Parameter("shared.weight", RandomTensor(random, {2, 2, 1, 1}));
    const ValueId first = b.Op(OpType::kConv, "first", {x, w});
    const ValueId second = b.Op(OpType::kConv, "second", {first, w});
    expect_kept(b.Finish({b.BatchNorm("bn", second, 2)}), "the weight of \"second\" is shared");
  }
}

TEST(FoldBatchNorms, RefusesANegativeVariance) {
  Graph graph = testing::SmallResidualNet();
  graph.mutable_value(graph.FindValue("stem.bn.running_var")).data[3] = -1;
  EXPECT_THAT(testing::MessageOf([&] { FoldBatchNorms(graph); }),
              HasSubstr("small_residual: BatchNormalization \"stem.bn\": variance -1 of channel 3 "
                        "is not positive"));
}

}  // namespace
}  // namespace sparsify
