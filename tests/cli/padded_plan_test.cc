#include "sparsity/cli/padded_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/random.h"
#include "sparsity/ops/interpreter.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

Tensor RandomRows(int64_t count) {
  Tensor images({count, 3, 16, 16});
  Random random(5);
  for (float& v : images.values()) v = static_cast<float>(random.Normal());
  return images;
}

TEST(PaddedPlan, GivesWhatTheNetworkGivesForAnyNumberOfImages) {
  const Graph graph = testing::SmallResidualNet();
  PaddedPlan plan(graph, 4);
  for (const int64_t count : {4, 1, 3, 4}) {
    const Tensor images = RandomRows(count);
    Tensor result;
    plan.Run({&images}, result);
    const Tensor expected = Interpreter(graph).Run({&images}).at(0);
    ASSERT_EQ(result.shape(), Shape({count, 10}));
    for (int64_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], expected[i], 1e-4);
  }
}

TEST(PaddedPlan, TakesNoMoreThanItsBatch) {
  PaddedPlan plan(testing::SmallResidualNet(), 4);
  const Tensor images = RandomRows(5);
  Tensor result;
  EXPECT_EQ(testing::MessageOf([&] { plan.Run({&images}, result); }),
            "forward pass: 5 images for a plan of 4");
}

}  // namespace
}  // namespace sparsify
