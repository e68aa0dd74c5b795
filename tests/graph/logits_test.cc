#include "sparsity/graph/logits.h"

#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

TEST(LogitsOf, LooksThroughTheLastSoftmax) {
  testing::GraphBuilder b("soft");
  const ValueId logits = b.Linear("fc", b.Input({6}), 6, 3);
  const Graph graph = b.Finish({b.Op(OpType::kSoftmax, "softmax", {logits})});
  EXPECT_EQ(LogitsOf(graph), logits);
  const Graph plain = testing::SmallResidualNet();
  EXPECT_EQ(LogitsOf(plain), plain.outputs[0].value);
}

}  // namespace
}  // namespace sparsify
