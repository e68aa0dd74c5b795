#include "sparsity/ops/channel_blocks.h"

#include <gtest/gtest.h>

#include "sparsity/ops/conv.h"
#include "sparsity/ops/vector_loops.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::MessageOf;
using testing::RandomTensor;

Tensor Blocked(const Tensor& plain) {
  Tensor blocked;
  ToChannelBlocks(plain, blocked);
  return blocked;
}

Tensor Plain(const Tensor& blocked) {
  Tensor plain;
  FromChannelBlocks(blocked, plain);
  return plain;
}

TEST(ChannelBlocks, HoldSixteenChannelsTogether) {
  Random random(1);
  const Tensor plain = RandomTensor(random, {2, 32, 3, 5});
  const Tensor blocked = Blocked(plain);
  EXPECT_EQ(blocked.shape(), plain.shape());
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t c = 0; c < 32; ++c) {
      for (int64_t i = 0; i < 15; ++i) {
        ASSERT_EQ(blocked[((n * 2 + c / 16) * 15 + i) * 16 + c % 16], plain[(n * 32 + c) * 15 + i]);
      }
    }
  }
  EXPECT_TRUE(testing::Same(Plain(blocked), plain));
  EXPECT_EQ(MessageOf([] {
              Blocked(Tensor(Shape{1, 8, 2, 2}));
            }),
            "channel blocks: [1,8,2,2] has no multiple of 16 channels");
}

Node ConvNode(int64_t pad, bool bias = false) {
  Node node{"conv", OpType::kConv, {0, 1}, {3}, {}};
  if (bias) node.inputs.push_back(2);
  node.attributes.Set("pads", std::vector<int64_t>(4, pad));
  return node;
}

TEST(ChannelBlocks, AreChosenForDenseConvolutions) {
  if (VectorTargets().back() != "Avx512") GTEST_SKIP() << "no kernels for blocks without AVX-512";
  const auto choose = [](const Shape& x, const Shape& w, bool lies, bool bias = false) {
    const NodeBlocks blocks = ChooseConvBlocks(ConvNode(w[2] / 2, bias), x, w, lies);
    return std::pair(blocks.x, blocks.y);
  };
  const std::pair neither(false, false);
  EXPECT_EQ(choose({2, 16, 8, 8}, {32, 16, 3, 3}, false), std::pair(true, true));
  EXPECT_EQ(choose({2, 3, 8, 8}, {16, 3, 3, 3}, false), std::pair(false, true));
  EXPECT_EQ(choose({2, 16, 8, 8}, {32, 16, 1, 1}, true), std::pair(true, true));
  EXPECT_EQ(choose({2, 16, 8, 8}, {32, 16, 1, 1}, false), neither);  // a matrix product
  EXPECT_EQ(choose({2, 16, 8, 8}, {24, 16, 3, 3}, true), neither);
  EXPECT_EQ(choose({2, 24, 8, 8}, {16, 24, 3, 3}, false), neither);
  EXPECT_EQ(choose({2, 16, 8, 8}, {16, 16, 3, 3}, true, true), neither);
  Node grouped = ConvNode(1);
  grouped.attributes.Set("group", int64_t{2});
  EXPECT_FALSE(ChooseConvBlocks(grouped, {2, 32, 8, 8}, {32, 16, 3, 3}, true).y);
}

// The plain convolution is checked against references; this one against it.
void CompareConv(const Shape& x_shape, const Shape& w_shape, const NodeBlocks& blocks) {
  Random random(3);
  const Node node = ConvNode(w_shape[2] / 2);
  const Tensor x = RandomTensor(random, x_shape);
  const Tensor w = RandomTensor(random, w_shape);
  const Shape y_shape = ConvOutputShapes(node, std::vector<Shape>{x_shape, w_shape})[0];
  const Tensor grad_y = RandomTensor(random, y_shape);
  Tensor y(y_shape);
  Tensor grad_x(x_shape);
  Tensor grad_w(w_shape);
  ConvForward(node, std::vector<const Tensor*>{&x, &w}, std::vector<Tensor*>{&y});
  ConvBackward(node, std::vector<const Tensor*>{&x, &w}, {}, std::vector<const Tensor*>{&grad_y},
               std::vector<Tensor*>{&grad_x, &grad_w});

  const Tensor blocked_x = blocks.x ? Blocked(x) : x;
  const Tensor blocked_grad_y = Blocked(grad_y);
  Tensor blocked_y(y_shape);
  Tensor blocked_grad_x(x_shape);
  Tensor second_grad_w(w_shape);
  const std::vector<const Tensor*> inputs = {&blocked_x, &w};
  BlockedConvForward(node, blocks, Precision::kF32, inputs, std::vector<Tensor*>{&blocked_y});
  BlockedConvBackward(node, blocks, Precision::kF32, inputs,
                      std::vector<const Tensor*>{&blocked_grad_y},
                      std::vector<Tensor*>{&blocked_grad_x, &second_grad_w});
  // Sums of up to 300 products in another order: √300 · 2^−24.
  constexpr double kRounding = 2e-6;
  EXPECT_LE(testing::RelativeError(Plain(blocked_y), y), kRounding);
  EXPECT_LE(testing::RelativeError(blocks.x ? Plain(blocked_grad_x) : blocked_grad_x, grad_x),
            kRounding);
  EXPECT_LE(testing::RelativeError(second_grad_w, grad_w), kRounding);
}

TEST(ChannelBlocks, ConvolutionsAndGradientsAreThePlainOnes) {
  CompareConv({2, 32, 6, 5}, {16, 32, 3, 3}, {true, true});
  CompareConv({2, 3, 9, 9}, {16, 3, 3, 3}, {false, true});
  CompareConv({2, 16, 6, 6}, {32, 16, 1, 1}, {true, true});
}

}  // namespace
}  // namespace sparsify
