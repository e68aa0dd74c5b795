#include "sparsity/graph/hash_graph.h"

#include <gtest/gtest.h>

#include "tests/support/one_convolution.h"

namespace sparsify {
namespace {

using testing::SmallGraph;

TEST(HashGraph, SeesWeightsAndAttributes) {
  EXPECT_EQ(HashGraph(SmallGraph(1, 1)), HashGraph(SmallGraph(1, 1)));
  EXPECT_NE(HashGraph(SmallGraph(1, 1)), HashGraph(SmallGraph(2, 1)));
  EXPECT_NE(HashGraph(SmallGraph(1, 1)), HashGraph(SmallGraph(1, 2)));
  EXPECT_EQ(HashGraph(SmallGraph(1, 1)).size(), 16U);
}

}  // namespace
}  // namespace sparsify
