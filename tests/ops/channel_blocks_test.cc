#include "sparsity/ops/channel_blocks.h"

#include <gtest/gtest.h>

#include "sparsity/ops/conv.h"
#include "sparsity/ops/vector_loops.h"
#include "tests/support/blocked.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::Blocked;
using testing::MessageOf;
using testing::Plain;
using testing::RandomTensor;

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

Node ConvNode(int64_t pad, int64_t groups = 1, int64_t stride = 1) {
  Node node{"conv", OpType::kConv, {0, 1, 2}, {3}, {}};
  node.attributes.Set("pads", std::vector<int64_t>(4, pad));
  node.attributes.Set("group", groups);
  node.attributes.Set("strides", std::vector<int64_t>(2, stride));
  return node;
}

constexpr bool kLies = true;   // x lies in blocks
constexpr bool kFeeds = true;  // a depthwise convolution reads y

TEST(ChannelBlocks, AreChosenWhereConvolutionsGainByThem) {
  if (VectorTargets().back() != "Avx512") GTEST_SKIP() << "no kernels for blocks without AVX-512";
  const auto choose = [](const Shape& x, const Shape& w, const ConvSurroundings& around) {
    const int64_t groups = x[1] / w[1];
    const NodeBlocks blocks = ChooseConvBlocks(ConvNode(w[2] / 2, groups), x, w, around);
    return std::pair(blocks.x, blocks.y);
  };
  const std::pair neither(false, false);
  const std::pair both(true, true);
  const std::pair begin(false, true);
  const std::pair end(true, false);
  EXPECT_EQ(choose({2, 16, 8, 8}, {32, 16, 3, 3}, {}), both);
  EXPECT_EQ(choose({2, 3, 8, 8}, {16, 3, 3, 3}, {}), begin);
  EXPECT_EQ(choose({2, 16, 8, 8}, {24, 16, 3, 3}, {kLies}), end);
  EXPECT_EQ(choose({2, 16, 8, 8}, {24, 16, 3, 3}, {}), neither);
  EXPECT_EQ(choose({2, 24, 8, 8}, {16, 24, 3, 3}, {}), neither);
  // Products of matrices.
  EXPECT_EQ(choose({2, 16, 8, 8}, {32, 16, 1, 1}, {kLies}), both);
  EXPECT_EQ(choose({2, 16, 8, 8}, {24, 16, 1, 1}, {kLies}), end);
  EXPECT_EQ(choose({2, 16, 8, 8}, {32, 16, 1, 1}, {}), neither);
  EXPECT_EQ(choose({2, 24, 8, 8}, {32, 24, 1, 1}, {!kLies, kFeeds}), begin);
  EXPECT_EQ(choose({2, 16, 8, 8}, {24, 16, 1, 1}, {!kLies, kFeeds}), neither);
  // Groups.
  EXPECT_EQ(choose({2, 32, 8, 8}, {32, 1, 3, 3}, {kLies}), both);
  EXPECT_EQ(choose({2, 32, 8, 8}, {32, 1, 5, 5}, {kLies}), both);
  EXPECT_EQ(choose({2, 32, 8, 8}, {32, 1, 3, 3}, {}), neither);
  EXPECT_EQ(choose({2, 24, 8, 8}, {24, 1, 3, 3}, {}), neither);
  EXPECT_EQ(choose({2, 32, 8, 8}, {32, 16, 3, 3}, {kLies}), neither);
}

// The plain convolution is checked against references; this one against it.
void CompareConv(const Shape& x_shape, const Shape& w_shape, const NodeBlocks& blocks,
                 int64_t stride = 1, const std::vector<int64_t>& pads = {}) {
  SCOPED_TRACE(x_shape.ToString() + w_shape.ToString());
  Random random(3);
  Node node = ConvNode(w_shape[2] / 2, x_shape[1] / w_shape[1], stride);
  if (!pads.empty()) node.attributes.Set("pads", pads);
  const Shape b_shape = {w_shape[0]};
  const Tensor x = RandomTensor(random, x_shape);
  const Tensor w = RandomTensor(random, w_shape);
  const Tensor b = RandomTensor(random, b_shape);
  const Shape y_shape = ConvOutputShapes(node, std::vector<Shape>{x_shape, w_shape, b_shape})[0];
  const Tensor grad_y = RandomTensor(random, y_shape);
  Tensor y(y_shape);
  std::vector<Tensor> grads = {Tensor(x_shape), Tensor(w_shape), Tensor(b_shape)};
  ConvForward(node, std::vector<const Tensor*>{&x, &w, &b}, std::vector<Tensor*>{&y});
  ConvBackward(node, std::vector<const Tensor*>{&x, &w, &b}, {},
               std::vector<const Tensor*>{&grad_y},
               std::vector<Tensor*>{&grads[0], &grads[1], &grads[2]});

  const Tensor laid_x = blocks.x ? Blocked(x) : x;
  const Tensor laid_grad_y = blocks.y ? Blocked(grad_y) : grad_y;
  Tensor laid_y(y_shape);
  std::vector<Tensor> laid = {Tensor(x_shape), Tensor(w_shape), Tensor(b_shape)};
  const std::vector<const Tensor*> inputs = {&laid_x, &w, &b};
  BlockedConvForward(node, blocks, Precision::kF32, inputs, std::vector<Tensor*>{&laid_y});
  BlockedConvBackward(node, blocks, Precision::kF32, inputs,
                      std::vector<const Tensor*>{&laid_grad_y},
                      std::vector<Tensor*>{&laid[0], &laid[1], &laid[2]});
  // Sums of up to 300 products in another order: √300 · 2^−24.
  constexpr double kRounding = 2e-6;
  EXPECT_LE(testing::RelativeError(blocks.y ? Plain(laid_y) : laid_y, y), kRounding);
  EXPECT_LE(testing::RelativeError(blocks.x ? Plain(laid[0]) : laid[0], grads[0]), kRounding);
  EXPECT_LE(testing::RelativeError(laid[1], grads[1]), kRounding);
  EXPECT_LE(testing::RelativeError(laid[2], grads[2]), kRounding);
}

TEST(ChannelBlocks, ConvolutionsAndGradientsAreThePlainOnes) {
  CompareConv({2, 32, 6, 5}, {16, 32, 3, 3}, {true, true});
  CompareConv({2, 3, 9, 9}, {16, 3, 3, 3}, {false, true});
  CompareConv({2, 16, 6, 6}, {32, 16, 1, 1}, {true, true});
  CompareConv({2, 24, 6, 6}, {32, 24, 1, 1}, {false, true});
  CompareConv({2, 32, 6, 6}, {24, 32, 1, 1}, {true, false});
  CompareConv({2, 16, 6, 6}, {24, 16, 3, 3}, {true, false});
  CompareConv({3, 48, 9, 7}, {48, 1, 3, 3}, {true, true});
  CompareConv({2, 32, 9, 7}, {32, 1, 5, 5}, {true, true});
  CompareConv({2, 32, 9, 8}, {32, 1, 5, 5}, {true, true}, 2);
  CompareConv({2, 32, 9, 8}, {32, 1, 3, 3}, {true, true}, 2, {0, 1, 1, 0});
  CompareConv({2, 32, 8, 8}, {16, 32, 3, 3}, {true, true}, 2, {0, 0, 1, 1});
  CompareConv({2, 24, 8, 8}, {32, 24, 1, 1}, {false, true}, 2);
}

}  // namespace
}  // namespace sparsify
