#include "reconstruction/distillation_targets.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/graph/fold_batch_norm.h"
#include "tests/reconstruction/distillation_support.h"

namespace sparsify {
namespace {

using testing::BottleneckNet;
using ::testing::ElementsAre;
using testing::GraphBuilder;
using testing::LayersOf;
using testing::MessageOf;
using testing::RandomTensor;

std::vector<std::string> BlocksOf(const Graph& graph) {
  std::vector<std::string> names;
  for (const Compared& block : FindTargets(graph, graph, LayersOf(graph)).blocks) {
    names.push_back(block.name);
  }
  return names;
}

TEST(FindTargets, AreTheBlockOutputsAndWhatTheLastLayerReads) {
  const Graph graph = BottleneckNet();
  EXPECT_THAT(BlocksOf(graph), ElementsAre("p.out", "flatten.out"));
  EXPECT_EQ(FindTargets(graph, graph, LayersOf(graph)).logits.name, "fc.out");
  const Graph residual = FoldBatchNorms(testing::SmallResidualNet());
  EXPECT_THAT(BlocksOf(residual), ElementsAre("stem.relu.out", "block.relu2.out", "flatten.out"));
}

TEST(FindTargets, MatchByPlaceWhenTheStudentHasMoreValues) {
  const Graph teacher = BottleneckNet();
  Graph student = teacher;
  student.AddParameter("more", Tensor(Shape{1}));
  Graph renamed = BottleneckNet();
  const auto layers = LayersOf(student);
  const DistillationTargets targets = FindTargets(student, teacher, layers);
  EXPECT_EQ(teacher.value(targets.blocks[0].teacher).name, "p.out");
  EXPECT_EQ(student.value(targets.blocks[0].student).name, "p.out");
}

TEST(FindTargets, LogitsAreWhatAFinalSoftmaxReads) {
  GraphBuilder b;
  const ValueId x = b.Input({2, 4, 4});
  const ValueId conv = b.Relu("relu", b.Conv("conv", x, 2, 3, 3));
  const ValueId flat =
      b.Op(OpType::kFlatten, "flatten", {b.Op(OpType::kGlobalAveragePool, "pool", {conv})});
  const Graph graph = b.Finish(
      {b.Op(OpType::kSoftmax, "softmax", {b.Linear("fc", flat, 3, 4)}, {{"axis", int64_t{1}}})});
  const auto layers = LayersOf(graph);
  const DistillationTargets targets = FindTargets(graph, graph, layers);
  EXPECT_EQ(targets.logits.name, "fc.out");
  EXPECT_THAT(BlocksOf(graph), ElementsAre("flatten.out"));
  EXPECT_EQ(FindObstacle(graph, layers, targets), "");
}

TEST(FindTargets, SayWhenTheNetworksDiffer) {
  const Graph student = BottleneckNet();
  const Graph other = testing::SmallResidualNet();
  EXPECT_EQ(MessageOf([&] { FindTargets(student, other, LayersOf(student)); }),
            fmt::format("bottleneck: {} nodes, the dense network has {}", student.nodes().size(),
                        other.nodes().size()));
  Graph changed = student;
  changed.mutable_nodes()[1].type = OpType::kSigmoid;
  EXPECT_EQ(MessageOf([&] { FindTargets(student, changed, LayersOf(student)); }),
            "bottleneck: node 1 is Relu \"a.relu\", in the dense network Sigmoid \"a.relu\"");
  Graph two = student;
  two.outputs.push_back(two.outputs[0]);
  EXPECT_EQ(MessageOf([&] { FindTargets(two, two, LayersOf(student)); }),
            "bottleneck: 1 inputs and 2 outputs, polish needs a network with one of each");
}

Graph WithLrn(bool behind) {
  GraphBuilder b;
  ValueId x = b.Input({2, 4, 4});
  const auto lrn = [&](ValueId id) {
    return b.Op(OpType::kLRN, "norm", {id}, {{"size", int64_t{3}}});
  };
  if (!behind) x = lrn(x);
  x = b.Conv("conv", x, 2, 3, 3);
  if (behind) x = lrn(x);
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {x});
  return b.Finish({b.Linear("fc", b.Op(OpType::kFlatten, "flatten", {pooled}), 3, 4)});
}

TEST(FindObstacle, NamesTheOperatorWithoutGradient) {
  for (const bool behind : {false, true}) {
    const Graph graph = WithLrn(behind);
    const auto layers = LayersOf(graph);
    EXPECT_EQ(FindObstacle(graph, layers, FindTargets(graph, graph, layers)),
              behind ? "norm (LRN) has no gradient" : "");
  }
}

TEST(Spread, IsVarianceOfAllAndDeviationOfChannels) {
  Spread spread;
  spread.Add(Tensor({1, 2, 1, 2}, {1, 3, 10, 10}));
  spread.Add(Tensor({2, 2, 1, 2}, {1, 3, 10, 10, 5, 5, 10, 10}));
  const std::vector<double> deviations = spread.ChannelDeviations();
  ASSERT_EQ(deviations.size(), 2U);
  EXPECT_NEAR(deviations[0], std::sqrt((4 + 0 + 4 + 0 + 4 + 4) / 6.0), 1e-12);
  EXPECT_EQ(deviations[1], 0);
  // 1 1 3 3 5 5 and six times 10, mean 6.5
  EXPECT_NEAR(spread.Variance(), (2 * (5.5 * 5.5 + 3.5 * 3.5 + 1.5 * 1.5) + 6 * 3.5 * 3.5) / 12,
              1e-12);
  EXPECT_EQ(Spread().Variance(), 0);
}

}  // namespace
}  // namespace sparsify
