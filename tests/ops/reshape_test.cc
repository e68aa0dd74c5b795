#include "sparsity/ops/reshape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

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

Shape ShapeAfter(OpType type, const Shape& input, const testing::AttributeList& attributes) {
  const Tensor x(input);
  return RunOp(type, {&x}, attributes)[0].shape();
}

TEST(Flatten, SplitsAtItsAxis) {
  const Shape x = {2, 3, 4, 5};
  EXPECT_EQ(ShapeAfter(OpType::kFlatten, x, {}), (Shape{2, 60}));
  EXPECT_EQ(ShapeAfter(OpType::kFlatten, x, {{"axis", int64_t{0}}}), (Shape{1, 120}));
  EXPECT_EQ(ShapeAfter(OpType::kFlatten, x, {{"axis", int64_t{3}}}), (Shape{24, 5}));
  EXPECT_EQ(ShapeAfter(OpType::kFlatten, x, {{"axis", int64_t{-1}}}), (Shape{24, 5}));
  EXPECT_EQ(ShapeAfter(OpType::kFlatten, x, {{"axis", int64_t{4}}}), (Shape{120, 1}));
  EXPECT_THAT(MessageOf([&] {
                ShapeAfter(OpType::kFlatten, x, {{"axis", int64_t{5}}});
              }),
              HasSubstr("Flatten \"node\": axis 5 is out of range for [2,3,4,5]"));
}

TEST(Reshape, CopiesInfersAndKeepsOrder) {
  const Shape x = {2, 3, 4};
  EXPECT_EQ(ShapeAfter(OpType::kReshape, x, {{"shape", Ints{0, -1}}}), (Shape{2, 12}));
  EXPECT_EQ(ShapeAfter(OpType::kReshape, x, {{"shape", Ints{-1}}}), (Shape{24}));
  EXPECT_EQ(ShapeAfter(OpType::kReshape, x, {{"shape", Ints{4, 0, 2}}}), (Shape{4, 3, 2}));
  EXPECT_EQ(ShapeAfter(OpType::kReshape, {1, 1}, {{"shape", Ints{}}}), (Shape{}));
  Random random(1);
  Tensor data = RandomTensor(random, {2, 3, 4});
  const Tensor y = RunOp(OpType::kReshape, {&data}, {{"shape", Ints{4, 6}}})[0];
  data.Reshape({4, 6});
  EXPECT_TRUE(Same(y, data));
}

TEST(Reshape, ExplainsWhatDoesNotFit) {
  const auto message = [](Ints shape, int64_t allow_zero = 0) {
    return MessageOf([&] {
      ShapeAfter(OpType::kReshape, {2, 3, 4}, {{"shape", shape}, {"allowzero", allow_zero}});
    });
  };
  const std::string head = "Reshape \"node\": cannot view [2,3,4] (24 elements) as ";
  EXPECT_EQ(message({5, -1}), head + "[5,-1]");
  EXPECT_EQ(message({-1, -1}), head + "[-1,-1]");
  EXPECT_EQ(message({2, 3}), head + "[2,3]");
  EXPECT_EQ(message({2, 3, 4, 0}), head + "[2,3,4,0]");
  EXPECT_EQ(message({-7, 24}), head + "[-7,24]");
  EXPECT_EQ(message({1LL << 40, 1LL << 40}), head + "[1099511627776,1099511627776]");
  EXPECT_EQ(message({0, 12}, 1), head + "[0,12]");
  EXPECT_THAT(MessageOf([] { ShapeAfter(OpType::kReshape, {2}, {}); }),
              HasSubstr("attribute shape is missing"));
}

TEST(Dropout, AndIdentityCopy) {
  Random random(1);
  const Tensor x = RandomTensor(random, {3, 5});
  const Tensor ratio(Shape{}, {0.5F});
  EXPECT_TRUE(Same(RunOp(OpType::kIdentity, {&x})[0], x));
  EXPECT_TRUE(Same(RunOp(OpType::kDropout, {&x, &ratio})[0], x));
  EXPECT_THAT(MessageOf([&] { RunOp(OpType::kDropout, {&x}, {}, 2); }),
              HasSubstr("output 1 is asked for, only the first is supported"));
}

}  // namespace
}  // namespace sparsify
