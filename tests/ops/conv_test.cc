#include "sparsity/ops/conv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/conv.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using testing::Close;
using ::testing::HasSubstr;
using testing::MessageOf;
using testing::RandomInt;
using testing::RandomTensor;
using testing::RunOp;
using testing::Same;
using testing::ToArray;
using Ints = std::vector<int64_t>;

struct Case {
  Tensor x;
  Tensor w;
  Tensor bias;
  reference::ConvSettings settings;
};

Case RandomCase(Random& random) {
  Case c;
  c.settings.groups = RandomInt(random, 1, 3);
  const int64_t in_a_group = RandomInt(random, 1, 5);
  const int64_t out = c.settings.groups * RandomInt(random, 1, 5);
  c.settings.strides = {RandomInt(random, 1, 3), RandomInt(random, 1, 3)};
  c.settings.dilations = {RandomInt(random, 1, 2), RandomInt(random, 1, 3)};
  const Ints kernel = {RandomInt(random, 1, 4), RandomInt(random, 1, 5)};
  for (int64_t& pad : c.settings.pads) pad = RandomInt(random, 0, 3);
  const auto size = [&](size_t i) {
    const int64_t reach = (kernel[i] - 1) * c.settings.dilations[i] + 1;
    return std::max<int64_t>(1, reach - c.settings.pads[i] - c.settings.pads[i + 2]) +
           RandomInt(random, 0, 8);
  };
  c.x = RandomTensor(random,
                     {RandomInt(random, 1, 3), in_a_group * c.settings.groups, size(0), size(1)});
  c.w = RandomTensor(random, {out, in_a_group, kernel[0], kernel[1]});
  c.bias = RandomTensor(random, {out});
  return c;
}

testing::AttributeList AttributesOf(const reference::ConvSettings& s) {
  return {
      {"strides", s.strides}, {"dilations", s.dilations}, {"pads", s.pads}, {"group", s.groups}};
}

TEST(Conv, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Case c = RandomCase(random);
    const auto x = ToArray(c.x);
    const auto w = ToArray(c.w);
    const auto bias = ToArray(c.bias);
    const bool has_bias = seed % 2 == 0;
    const Tensor y = RunOp(OpType::kConv, {&c.x, &c.w, has_bias ? &c.bias : nullptr},
                           AttributesOf(c.settings))[0];
    const auto expected = Conv(x, w, has_bias ? &bias : nullptr, c.settings);
    const auto bias_size = Abs(bias);
    const auto magnitude = Conv(Abs(x), Abs(w), has_bias ? &bias_size : nullptr, c.settings);
    const auto length = static_cast<double>(c.w.size() / c.w.shape()[0]);
    EXPECT_TRUE(Close(y, expected, magnitude, length + 2));
  }
}

TEST(Conv, AgreesWithReferenceOnRealLayerSizes) {
  Random random(5);
  const struct {
    Shape x;
    Shape w;
    reference::ConvSettings settings;
  } layers[] = {
      {{2, 3, 30, 30}, {32, 3, 7, 7}, {{2, 2}, {1, 1}, {3, 3, 3, 3}, 1}},
      {{2, 64, 14, 14}, {64, 64, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 1}},
      {{2, 48, 14, 14}, {48, 1, 3, 3}, {{2, 2}, {1, 1}, {0, 0, 1, 1}, 48}},
      {{2, 48, 14, 14}, {96, 8, 3, 3}, {{1, 1}, {1, 1}, {1, 1, 1, 1}, 6}},
      {{3, 96, 7, 7}, {40, 96, 1, 1}, {}},
  };
  for (const auto& layer : layers) {
    SCOPED_TRACE(layer.w.ToString());
    const Tensor x = RandomTensor(random, layer.x);
    const Tensor w = RandomTensor(random, layer.w);
    const Tensor y = RunOp(OpType::kConv, {&x, &w}, AttributesOf(layer.settings))[0];
    const auto expected = Conv(ToArray(x), ToArray(w), nullptr, layer.settings);
    const auto magnitude = Conv(Abs(ToArray(x)), Abs(ToArray(w)), nullptr, layer.settings);
    EXPECT_TRUE(Close(y, expected, magnitude, static_cast<double>(w.size() / w.shape()[0]) + 2));
  }
}

TEST(Conv, WeightsMayChangeBetweenCalls) {
  Random random(3);
  const Tensor x = RandomTensor(random, {1, 16, 9, 9});
  Tensor w = RandomTensor(random, {16, 16, 3, 3});
  const Tensor before = RunOp(OpType::kConv, {&x, &w})[0];
  for (float& v : w.values()) v *= 2;
  Tensor after = RunOp(OpType::kConv, {&x, &w})[0];
  for (float& v : after.values()) v /= 2;
  EXPECT_TRUE(Same(after, before));
}

TEST(Conv, SamePaddingOfAnEvenKernelGoesToTheNamedSide) {
  const Tensor x({1, 1, 1, 3}, {1, 2, 3});
  const Tensor w({1, 1, 1, 2}, {1, 10});
  const std::string upper = "SAME_UPPER";
  const std::string lower = "SAME_LOWER";
  EXPECT_TRUE(Same(RunOp(OpType::kConv, {&x, &w}, {{"auto_pad", upper}})[0],
                   Tensor({1, 1, 1, 3}, {21, 32, 3})));
  EXPECT_TRUE(Same(RunOp(OpType::kConv, {&x, &w}, {{"auto_pad", lower}})[0],
                   Tensor({1, 1, 1, 3}, {10, 21, 32})));
}

TEST(Conv, SamePaddingCoversTheStridedInput) {
  const Tensor x({1, 1, 1, 5}, {1, 2, 3, 4, 5});
  const Tensor w({1, 1, 1, 3}, {1, 1, 1});
  EXPECT_TRUE(Same(RunOp(OpType::kConv, {&x, &w},
                         {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{1, 2}}})[0],
                   Tensor({1, 1, 1, 3}, {3, 9, 9})));
  EXPECT_TRUE(Same(RunOp(OpType::kConv, {&x, &w},
                         {{"auto_pad", std::string("VALID")}, {"pads", Ints{0, 1, 0, 1}}})[0],
                   Tensor({1, 1, 1, 3}, {6, 9, 12})));
}

TEST(Conv, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{1, 3, 8, 8});
  const Tensor w(Shape{4, 2, 3, 3});
  const Tensor w3(Shape{4, 3, 3, 3});
  const Tensor flat(Shape{1, 3});
  const Tensor bias(Shape{5});
  const auto message = [&](std::vector<const Tensor*> inputs, testing::AttributeList a = {}) {
    return MessageOf([&] { RunOp(OpType::kConv, inputs, a); });
  };
  EXPECT_EQ(message({&x, &w}),
            "Conv \"node\": input [1,3,8,8] has 3 channels, weight [4,2,3,3] with group 1 "
            "expects 2");
  EXPECT_THAT(message({&flat, &w}), HasSubstr("must both have 4 dimensions"));
  EXPECT_THAT(message({&x, &w3, &bias}), HasSubstr("bias has shape [5], [4] expected"));
  EXPECT_THAT(message({&x}), HasSubstr("input 1 is missing, 2 expected"));
  EXPECT_THAT(message({&x, &w3}, {{"group", int64_t{3}}}), HasSubstr("does not divide the 4"));
  EXPECT_THAT(message({&x, &w3}, {{"kernel_shape", Ints{5, 5}}}),
              HasSubstr("kernel_shape [5,5] differs from weight [4,3,3,3]"));
  EXPECT_THAT(message({&x, &w3}, {{"dilations", Ints{9, 9}}}),
              HasSubstr("a window of 19 positions does not fit in 8 input positions"));
  EXPECT_THAT(message({&x, &w3}, {{"strides", Ints{0, 1}}}),
              HasSubstr("attribute strides holds 0, at least 1"));
  EXPECT_THAT(message({&x, &w3}, {{"strides", Ints{1}}}),
              HasSubstr("attribute strides has 1 values, 2 expected"));
  EXPECT_THAT(message({&x, &w3}, {{"pads", Ints{1LL << 40, 0, 0, 0}}}),
              HasSubstr("attribute pads holds 1099511627776"));
  EXPECT_THAT(message({&x, &w3}, {{"auto_pad", std::string("SAME")}}),
              HasSubstr("unknown auto_pad \"SAME\"; known: NOTSET"));
  EXPECT_THAT(message({&x, &w3}, {{"group", std::string("2")}}),
              HasSubstr("Conv \"node\": attribute: \"group\" has another type"));
}

}  // namespace
}  // namespace sparsify
