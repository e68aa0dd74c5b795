#include "sparsity/cli/network.h"

#include <gtest/gtest.h>

#include "tests/cli/cli_test_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::GraphBuilder;

std::string ErrorFor(const Graph& graph) {
  return ErrorOf([&] { RequireClassifier(graph, "net.onnx"); });
}

/// A convolution of 3×8×8 images to 16 channels, and `pool` after it if there is one.
Graph Convolution(bool pool) {
  GraphBuilder builder("net");
  ValueId x = builder.Conv("conv", builder.Input({3, 8, 8}), 3, 16, 3);
  if (pool) x = builder.Op(OpType::kGlobalAveragePool, "pool", {x});
  return builder.Finish({x});
}

TEST(Network, ScoresMayStandInAnyDimension) {
  EXPECT_EQ(ErrorFor(testing::SmallResidualNet()), "no error");
  EXPECT_EQ(ErrorFor(Convolution(true)), "no error");  // [N,16,1,1]
  EXPECT_EQ(ClassCount(Convolution(true)), 16);
}

TEST(Network, MapsAreNoScores) {
  EXPECT_EQ(ErrorFor(Convolution(false)),
            "net.onnx: output shape [1,16,8,8], expected N×classes: one score a class");
}

TEST(Network, AnOpenImageSizeIsRefused) {
  Graph graph = Convolution(true);
  graph.inputs[0].shape = {-1, 3, -1, 8};
  EXPECT_EQ(
      ErrorFor(graph),
      "net.onnx: input \"input\" has shape [-1,3,-1,8], which leaves dimension 2 open; export "
      "the network with a fixed image size");
}

}  // namespace
}  // namespace sparsify
