#include "sparsity/ops/pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/pool.h"
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
  reference::PoolSettings settings;
};

Case RandomCase(Random& random) {
  Case c;
  auto& s = c.settings;
  s.ceil_mode = random.Below(2) == 0;
  s.count_include_pad = random.Below(2) == 0;
  Ints size;
  for (size_t i = 0; i < 2; ++i) {
    s.kernel[i] = RandomInt(random, 1, 4);
    s.strides[i] = RandomInt(random, 1, 5);
    s.dilations[i] = RandomInt(random, 1, 2);
    const int64_t extent = (s.kernel[i] - 1) * s.dilations[i] + 1;
    s.pads[i] = RandomInt(random, 0, s.kernel[i] - 1);
    s.pads[i + 2] = RandomInt(random, 0, s.kernel[i] - 1);
    size.push_back(std::max<int64_t>(1, extent - s.pads[i] - s.pads[i + 2]) +
                   RandomInt(random, 0, 8));
  }
  c.x = RandomTensor(random, {RandomInt(random, 1, 2), RandomInt(random, 1, 4), size[0], size[1]});
  return c;
}

testing::AttributeList AttributesOf(const reference::PoolSettings& s) {
  return {{"kernel_shape", s.kernel},          {"strides", s.strides},
          {"dilations", s.dilations},          {"pads", s.pads},
          {"ceil_mode", int64_t{s.ceil_mode}}, {"count_include_pad", int64_t{s.count_include_pad}}};
}

TEST(MaxPool, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Case c = RandomCase(random);
    EXPECT_TRUE(Close(RunOp(OpType::kMaxPool, {&c.x}, AttributesOf(c.settings))[0],
                      MaxPool(ToArray(c.x), c.settings), 0));
  }
}

TEST(AveragePool, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Case c = RandomCase(random);
    EXPECT_TRUE(Close(RunOp(OpType::kAveragePool, {&c.x}, AttributesOf(c.settings))[0],
                      AveragePool(ToArray(c.x), c.settings),
                      AveragePool(Abs(ToArray(c.x)), c.settings), 18));
  }
}

// Numbers from ONNX Runtime 1.31 on x = 1 … 5.
TEST(Pool, TreatsWindowEdgesAsOnnxRuntimeDoes) {
  const Tensor x({1, 1, 5, 1}, {1, 2, 3, 4, 5});
  const auto run = [&](OpType type, testing::AttributeList attributes) {
    return RunOp(type, {&x}, attributes)[0];
  };
  const testing::AttributeList drops_last = {{"kernel_shape", Ints{2, 1}},
                                             {"strides", Ints{2, 1}},
                                             {"pads", Ints{1, 0, 1, 0}},
                                             {"ceil_mode", int64_t{1}}};
  EXPECT_TRUE(Same(run(OpType::kMaxPool, drops_last), Tensor({1, 1, 3, 1}, {1, 3, 5})));
  testing::AttributeList sticks_out = {{"kernel_shape", Ints{3, 1}},
                                       {"strides", Ints{4, 1}},
                                       {"ceil_mode", int64_t{1}},
                                       {"count_include_pad", int64_t{1}}};
  EXPECT_TRUE(Same(run(OpType::kMaxPool, sticks_out), Tensor({1, 1, 2, 1}, {3, 5})));
  EXPECT_TRUE(Same(run(OpType::kAveragePool, sticks_out), Tensor({1, 1, 2, 1}, {2, 5})));
  const testing::AttributeList same = {{"kernel_shape", Ints{3, 1}},
                                       {"strides", Ints{2, 1}},
                                       {"auto_pad", std::string("SAME_UPPER")},
                                       {"count_include_pad", int64_t{1}}};
  EXPECT_TRUE(Same(run(OpType::kAveragePool, same), Tensor({1, 1, 3, 1}, {1, 3, 3})));
  const testing::AttributeList lower = {{"kernel_shape", Ints{2, 1}},
                                        {"strides", Ints{2, 1}},
                                        {"auto_pad", std::string("SAME_LOWER")}};
  EXPECT_TRUE(Same(run(OpType::kAveragePool, lower), Tensor({1, 1, 3, 1}, {1, 2.5F, 4.5F})));
  const testing::AttributeList dilated = {{"kernel_shape", Ints{2, 1}},
                                          {"dilations", Ints{3, 1}},
                                          {"pads", Ints{1, 0, 1, 0}},
                                          {"count_include_pad", int64_t{1}}};
  EXPECT_TRUE(
      Same(run(OpType::kAveragePool, dilated), Tensor({1, 1, 4, 1}, {1.5F, 2.5F, 3.5F, 1.5F})));
}

TEST(Pool, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{1, 1, 4, 4});
  const Tensor flat(Shape{1, 4});
  const auto message = [](const Tensor* t, testing::AttributeList a, size_t outputs = 1) {
    return MessageOf([&] { RunOp(OpType::kMaxPool, {t}, a, outputs); });
  };
  EXPECT_THAT(message(&flat, {}), HasSubstr("MaxPool \"node\": input [1,4] must have 4"));
  EXPECT_THAT(message(&x, {}), HasSubstr("attribute kernel_shape has 0 values, 2 expected"));
  EXPECT_THAT(message(&x, {{"kernel_shape", Ints{5, 5}}}), HasSubstr("does not fit in 4"));
  EXPECT_THAT(message(&x, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{2, 0, 0, 0}}}),
              HasSubstr("must be smaller than the window of 2"));
  EXPECT_THAT(message(&x, {{"kernel_shape", Ints{2, -2}}}), HasSubstr("size -2 is not positive"));
  EXPECT_THAT(message(&x, {{"kernel_shape", Ints{2, 2}}}, 2), HasSubstr("output 1 is asked for"));
}

}  // namespace
}  // namespace sparsify
