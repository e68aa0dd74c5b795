// Gradients of Conv, BatchNormalization, Gemm and MatMul.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/conv.h"
#include "tests/reference/linear.h"
#include "tests/reference/normalization.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::AttributeList;
using testing::ExpectGradients;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RandomInt;
using testing::RandomTensor;
using testing::RunBackward;
using Ints = std::vector<int64_t>;

void CheckConv(Random& random, const Shape& x, const Shape& w, const reference::ConvSettings& s,
               bool bias, uint64_t seed) {
  std::vector<Tensor> inputs = {RandomTensor(random, x), RandomTensor(random, w)};
  if (bias) inputs.push_back(RandomTensor(random, {w[0]}));
  const auto forward = [&](const std::vector<Array>& in) {
    return std::vector<Array>{Conv(in[0], in[1], bias ? &in[2] : nullptr, s)};
  };
  const auto length = static_cast<double>(std::max(x.NumElements(), w.NumElements()));
  ExpectGradients(
      {OpType::kConv,
       inputs,
       {{"strides", s.strides}, {"dilations", s.dilations}, {"pads", s.pads}, {"group", s.groups}},
       forward,
       length + 2},
      seed);
}

TEST(ConvBackward, AgreesWithDifferencesOnRandomProblems) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    reference::ConvSettings s;
    const bool depthwise = random.Below(4) == 0;
    s.groups = depthwise ? RandomInt(random, 2, 4) : RandomInt(random, 1, 2);
    const int64_t in = depthwise ? 1 : RandomInt(random, 1, 3);
    const int64_t out = depthwise ? RandomInt(random, 1, 2) : RandomInt(random, 1, 3);
    Ints kernel(2);
    Ints size(2);
    for (size_t i = 0; i < 2; ++i) {
      kernel[i] = RandomInt(random, 1, 3);
      s.strides[i] = RandomInt(random, 1, 3);
      s.dilations[i] = RandomInt(random, 1, 2);
      s.pads[i] = RandomInt(random, 0, 2);
      s.pads[i + 2] = RandomInt(random, 0, 2);
      const int64_t extent = (kernel[i] - 1) * s.dilations[i] + 1;
      size[i] = std::max<int64_t>(1, extent - s.pads[i] - s.pads[i + 2]) + RandomInt(random, 0, 4);
    }
    CheckConv(random, {RandomInt(random, 1, 2), in * s.groups, size[0], size[1]},
              {out * s.groups, in, kernel[0], kernel[1]}, s, random.Below(2) == 0, seed);
  }
}

TEST(ConvBackward, CoversTheKindsThatNetworksHave) {
  Random random(1);
  CheckConv(random, {1, 16, 6, 6}, {8, 16, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 1}, true, 1);
  CheckConv(random, {2, 16, 5, 5}, {16, 1, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 16}, false, 2);
  CheckConv(random, {1, 16, 7, 7}, {16, 1, 5, 5}, {{2, 2}, {1, 1}, {2, 2, 2, 2}, 16}, false, 3);
  CheckConv(random, {1, 16, 6, 6}, {16, 8, 3, 3}, {{2, 2}, {1, 1}, {0, 0, 1, 1}, 2}, false, 4);
  CheckConv(random, {2, 16, 4, 4}, {8, 16, 1, 1}, {{2, 2}, {1, 1}, {0, 0, 0, 0}, 1}, true, 5);
  CheckConv(random, {2, 16, 1, 1}, {4, 16, 1, 1}, {}, true, 6);
}

TEST(ConvBackward, WeightsMayChangeBetweenCalls) {
  Random random(3);
  const Tensor x = RandomTensor(random, {1, 16, 5, 5});
  Tensor w = RandomTensor(random, {16, 16, 3, 3});
  const Tensor g = RandomTensor(random, {1, 16, 3, 3});
  const Tensor before = RunBackward(OpType::kConv, {&x, &w}, {}, {&g}, {0})[0];
  for (float& v : w.values()) v *= 2;
  Tensor after = RunBackward(OpType::kConv, {&x, &w}, {}, {&g}, {0})[0];
  for (float& v : after.values()) v /= 2;
  EXPECT_TRUE(testing::Same(after, before));
}

TEST(BatchNormalizationBackward, AgreesWithDifferencesAndKeepsStatisticsFrozen) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Random random(seed);
    const int64_t channels = RandomInt(random, 1, 4);
    const Shape x = seed % 2 == 0 ? Shape{2, channels, 3, 5} : Shape{4, channels};
    std::vector<Tensor> inputs = {RandomTensor(random, x)};
    for (int i = 0; i < 4; ++i) inputs.push_back(RandomTensor(random, {channels}));
    for (float& v : inputs[4].values()) v = 0.5F + v * v;
    const auto forward = [](const std::vector<Array>& in) {
      return std::vector<Array>{BatchNormalization(in[0], in[1], in[2], in[3], in[4], 1e-3)};
    };
    // x − mean cancels by up to |x| + |mean|, about 100 times its smallest size here.
    ExpectGradients(
        {OpType::kBatchNormalization, inputs, {{"epsilon", 1e-3}}, forward, 100, {0, 1, 2}}, seed);
    std::vector<const Tensor*> pointers;
    for (const Tensor& t : inputs) pointers.push_back(&t);
    EXPECT_EQ(MessageOf([&] {
                RunBackward(OpType::kBatchNormalization, pointers, {}, {pointers[0]}, {0, 4});
              }),
              "BatchNormalization \"node\": mean and variance are frozen and have no gradient");
  }
}

TEST(GemmBackward, AgreesWithDifferencesInEveryLayout) {
  for (uint64_t seed = 0; seed < 32; ++seed) {
    Random random(seed);
    const bool ta = (seed & 1) != 0;
    const bool tb = (seed & 2) != 0;
    const int64_t m = RandomInt(random, 1, 4);
    const int64_t n = RandomInt(random, 1, 4);
    const int64_t k = RandomInt(random, 1, 5);
    std::vector<Tensor> inputs = {RandomTensor(random, ta ? Shape{k, m} : Shape{m, k}),
                                  RandomTensor(random, tb ? Shape{n, k} : Shape{k, n})};
    const Shape biases[] = {{n}, {1, n}, {m, n}, {m, 1}, {1}, {}};
    const uint64_t kind = random.Below(7);
    if (kind < 6) inputs.push_back(RandomTensor(random, biases[kind]));
    const auto forward = [&](const std::vector<Array>& in) {
      return std::vector<Array>{
          Gemm(in[0], in[1], in.size() > 2 ? &in[2] : nullptr, ta, tb, 0.5, 2)};
    };
    ExpectGradients(
        {OpType::kGemm,
         inputs,
         {{"transA", int64_t{ta}}, {"transB", int64_t{tb}}, {"alpha", 0.5}, {"beta", 2.0}},
         forward,
         16},
        seed);
  }
}

TEST(MatMulBackward, AgreesWithDifferencesWithBatchesAndBroadcasting) {
  const std::pair<Shape, Shape> pairs[] = {{{3, 4}, {4, 2}},
                                           {{2, 3, 4}, {4, 2}},
                                           {{2, 3, 4}, {2, 4, 2}},
                                           {{2, 1, 3, 4}, {3, 4, 2}},
                                           {{3, 4}, {2, 4, 2}}};
  uint64_t seed = 0;
  for (const auto& [a, b] : pairs) {
    Random random(++seed);
    const auto forward = [](const std::vector<Array>& in) {
      return std::vector<Array>{MatMul(in[0], in[1])};
    };
    ExpectGradients(
        {OpType::kMatMul, {RandomTensor(random, a), RandomTensor(random, b)}, {}, forward, 20},
        seed);
  }
  Random random(9);
  const auto transposed = [](const std::vector<Array>& in) {
    return std::vector<Array>{MatMul(in[0], reference::SwapLastTwo(in[1]))};
  };
  ExpectGradients({OpType::kMatMul,
                   {RandomTensor(random, {2, 3, 4}), RandomTensor(random, {5, 4})},
                   {{"transB", int64_t{1}}},
                   transposed,
                   20},
                  9);
}

TEST(Backward, NamesANodeWithoutGradient) {
  const Tensor x(Shape{2, 3});
  EXPECT_EQ(MessageOf([&] { RunBackward(OpType::kSoftmax, {&x}, {}, {&x}, {0}); }),
            "Softmax \"node\": the operator has no gradient; choose units that do not contain it");
}

}  // namespace
}  // namespace sparsify
