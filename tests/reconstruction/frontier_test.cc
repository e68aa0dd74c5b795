#include "reconstruction/frontier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/ops/interpreter.h"
#include "tests/reconstruction/repair_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::ElementsAreArray;

int NodeCalled(const Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i].name == name) return static_cast<int>(i);
  }
  ADD_FAILURE() << "no node " << name;
  return -1;
}

Batch Images(int64_t begin, int64_t end) {
  Batch batch;
  LoadBatch(RandomImages(20, {3, 16, 16}), begin, end, batch);
  return batch;
}

// What the interpreter computes for one node.
Tensor Reference(const Graph& graph, const Tensor& images, int node) {
  Tensor result;
  Interpreter(graph).Run({&images}, [&](int index, const std::vector<const Tensor*>& outputs) {
    if (index == node) result = *outputs[0];
  });
  return result;
}

class EveryCut : public ::testing::TestWithParam<int> {};

TEST_P(EveryCut, GivesTheInterpretersActivationsHoweverFarBehindItStays) {
  const int lag = GetParam();
  const Graph graph = testing::SmallResidualNet();
  const int nodes = static_cast<int>(graph.nodes().size());
  Frontier frontier(graph, 2, 4);
  int cut = 0;
  for (int end = 1; end <= nodes; ++end) {
    const int keep = std::max(cut, end - lag);
    for (int64_t k = 0; k < 2; ++k) {
      const Batch batch = Images(4 * k, 4 * k + 4);
      const Tensor* images = frontier.ReadsImages(cut, end) ? &batch.images : nullptr;
      // An output that is kept already or made on the way.
      const ValueId wanted = graph.node(end - 1).outputs[0];
      if (keep == end && graph.Consumers(wanted).empty()) continue;
      const Tensor& value = frontier.Advance(k, images, keep, end, wanted);
      EXPECT_THAT(value.values(),
                  ElementsAreArray(Reference(graph, batch.images, end - 1).values()))
          << "node " << end - 1;
    }
    cut = keep;
  }
}

INSTANTIATE_TEST_SUITE_P(Lags, EveryCut, ::testing::Values(0, 1, 3, 100));

TEST(Frontier, CountsWhatCrossesACut) {
  const Graph graph = testing::SmallResidualNet();
  const Frontier frontier(graph, 1, 4);
  EXPECT_EQ(frontier.BytesPerImage(0), 0);
  // Before the first convolution of the block only the stem's 16×16×16 output is alive.
  EXPECT_EQ(frontier.BytesPerImage(NodeCalled(graph, "block.conv1")), 16 * 16 * 16 * 4);
  // Before the join both branches of 32×8×8 are.
  EXPECT_EQ(frontier.BytesPerImage(NodeCalled(graph, "block.add")), 2 * 32 * 8 * 8 * 4);
  EXPECT_TRUE(frontier.ReadsImages(0, 1));
  EXPECT_FALSE(frontier.ReadsImages(1, static_cast<int>(graph.nodes().size())));
}

TEST(Frontier, RefusesToGoBack) {
  const Graph graph = testing::SmallResidualNet();
  Frontier frontier(graph, 1, 4);
  const Batch batch = Images(0, 4);
  frontier.Advance(0, &batch.images, 2, 3, graph.node(2).outputs[0]);
  EXPECT_EQ(testing::MessageOf(
                [&] { frontier.Advance(0, &batch.images, 1, 3, graph.node(2).outputs[0]); }),
            "small_residual: cannot move the cut from node 2 to 1 and compute up to 3");
  EXPECT_EQ(
      testing::MessageOf([&] { frontier.Advance(0, nullptr, 2, 3, graph.node(0).outputs[0]); }),
      "small_residual: \"stem.out\" is not known after node 3");
}

}  // namespace
}  // namespace sparsify
