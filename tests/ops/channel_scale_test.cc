#include "sparsity/ops/channel_scale.h"

#include <gtest/gtest.h>

#include "sparsity/ops/add_mul.h"
#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/node_blocks.h"
#include "sparsity/ops/reduce_mean.h"
#include "tests/support/blocked.h"
#include "tests/support/compare.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::Blocked;
using testing::Plain;
using testing::RandomTensor;
using testing::RelativeError;

constexpr double kRounding = 1e-6;

// The operators on plain memory are checked against references; these against them.
TEST(ChannelScale, MeansAndTheirGradientAreThePlainOnes) {
  Random random(1);
  const Node node{"pool", OpType::kGlobalAveragePool, {0}, {1}, {}};
  const Tensor x = RandomTensor(random, {3, 32, 5, 7});
  const Tensor grad = RandomTensor(random, {3, 32, 1, 1});
  Tensor expected(grad.shape());
  Tensor expected_grad(x.shape());
  GlobalAveragePoolForward(node, std::vector<const Tensor*>{&x}, std::vector<Tensor*>{&expected});
  GlobalAveragePoolBackward(node, std::vector<const Tensor*>{&x}, {},
                            std::vector<const Tensor*>{&grad},
                            std::vector<Tensor*>{&expected_grad});
  Tensor means(grad.shape());
  ChannelMeansBlocked(Blocked(x), means);
  EXPECT_LE(RelativeError(means, expected), kRounding);
  Tensor grad_x(x.shape());
  ChannelMeansBlockedBackward(grad, grad_x);
  EXPECT_LE(RelativeError(Plain(grad_x), expected_grad), kRounding);
}

TEST(ChannelScale, ProductsAndTheirGradientsAreThePlainOnes) {
  Random random(2);
  const Node node{"mul", OpType::kMul, {0, 1}, {2}, {}};
  const Tensor x = RandomTensor(random, {2, 48, 4, 3});
  const Tensor factors = RandomTensor(random, {2, 48, 1, 1});
  const Tensor grad = RandomTensor(random, x.shape());
  Tensor expected(x.shape());
  Tensor grad_x(x.shape());
  Tensor grad_factors(factors.shape());
  const std::vector<const Tensor*> inputs = {&x, &factors};
  MulForward(node, inputs, std::vector<Tensor*>{&expected});
  MulBackward(node, inputs, {}, std::vector<const Tensor*>{&grad},
              std::vector<Tensor*>{&grad_x, &grad_factors});
  const Tensor blocked_x = Blocked(x);
  const Tensor blocked_grad = Blocked(grad);
  // Either operand may be the one that is scaled.
  for (const bool first : {true, false}) {
    SCOPED_TRACE(first);
    const std::vector<const Tensor*> laid = first
                                                ? std::vector<const Tensor*>{&blocked_x, &factors}
                                                : std::vector<const Tensor*>{&factors, &blocked_x};
    Tensor y(x.shape());
    Tensor made_x(x.shape());
    Tensor made_factors(factors.shape());
    LaidOutForward(node, {true, true}, Precision::kF32, laid, std::vector<Tensor*>{&y});
    EXPECT_LE(RelativeError(Plain(y), expected), kRounding);
    LaidOutBackward(node, {true, true}, Precision::kF32, laid, {},
                    std::vector<const Tensor*>{&blocked_grad},
                    first ? std::vector<Tensor*>{&made_x, &made_factors}
                          : std::vector<Tensor*>{&made_factors, &made_x});
    EXPECT_LE(RelativeError(Plain(made_x), grad_x), kRounding);
    EXPECT_LE(RelativeError(made_factors, grad_factors), kRounding);
    LaidOutBackward(node, {true, true}, Precision::kF32, laid, {},
                    std::vector<const Tensor*>{&blocked_grad},
                    std::vector<Tensor*>{nullptr, nullptr});
  }
}

TEST(ChannelScale, KnowsItsOperands) {
  const Shape x = {2, 32, 4, 4};
  const Shape factors = {2, 32, 1, 1};
  const auto scaled = [](const Shape& a, const Shape& b) {
    return ScaledInput(std::vector<Shape>{a, b});
  };
  EXPECT_EQ(scaled(x, factors), 0);
  EXPECT_EQ(scaled(factors, x), 1);
  EXPECT_EQ(scaled(x, x), -1);
  EXPECT_EQ(scaled(factors, factors), -1);
  EXPECT_EQ(scaled(x, {1, 32, 1, 1}), -1);
  EXPECT_EQ(scaled(x, {2, 1, 4, 4}), -1);
  EXPECT_EQ(scaled({2, 24, 4, 4}, {2, 24, 1, 1}), -1);
}

TEST(ChooseNodeBlocks, FollowsWhatLiesInBlocks) {
  const auto choose = [](OpType type, const std::vector<Shape>& inputs,
                         const std::vector<bool>& lies, bool has_parameter = false) {
    const Node node{"n", type, {0, 1}, {2}, {}};
    const NodeBlocks blocks = ChooseNodeBlocks(node, inputs, lies, has_parameter, false);
    return std::pair(blocks.x, blocks.y);
  };
  const Shape x = {2, 32, 4, 4};
  const Shape factors = {2, 32, 1, 1};
  const std::pair both(true, true);
  const std::pair neither(false, false);
  EXPECT_EQ(choose(OpType::kRelu, {x}, {true}), both);
  EXPECT_EQ(choose(OpType::kRelu, {x}, {false}), neither);
  EXPECT_EQ(choose(OpType::kAdd, {x, x}, {false, true}), both);
  EXPECT_EQ(choose(OpType::kMul, {x, x}, {true, false}), both);
  EXPECT_EQ(choose(OpType::kMul, {x, x}, {true, false}, true), neither);
  EXPECT_EQ(choose(OpType::kAdd, {x, x}, {true, false}, true), neither);
  EXPECT_EQ(choose(OpType::kMul, {x, factors}, {true, false}, true), both);
  EXPECT_EQ(choose(OpType::kMul, {x, factors}, {true, false}), both);
  EXPECT_EQ(choose(OpType::kMul, {factors, x}, {false, true}), both);
  EXPECT_EQ(choose(OpType::kMul, {factors, x}, {false, false}), neither);
  EXPECT_EQ(choose(OpType::kAdd, {x, factors}, {true, false}), neither);
  EXPECT_EQ(choose(OpType::kGlobalAveragePool, {x}, {true}), std::pair(true, false));
  EXPECT_EQ(choose(OpType::kMaxPool, {x}, {true}), both);
  EXPECT_EQ(choose(OpType::kConcat, {x, x}, {true, true}), neither);
}

}  // namespace
}  // namespace sparsify
