#include "sparsity/ops/slice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/reference/movement.h"
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

TEST(Slice, AgreesWithReference) {
  int checked = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t rank = RandomInt(random, 1, 4);
    std::vector<int64_t> dims;
    for (int64_t i = 0; i < rank; ++i) dims.push_back(RandomInt(random, 1, 7));
    const Tensor x = RandomTensor(random, Shape(dims));
    auto expected = ToArray(x);
    Ints starts;
    Ints ends;
    Ints axes;
    Ints steps;
    for (int64_t axis = 0; axis < rank; ++axis) {
      if (random.Below(2) == 0) continue;
      axes.push_back(axis - (random.Below(2) == 0 ? rank : 0));
      starts.push_back(RandomInt(random, -9, 9));
      ends.push_back(RandomInt(random, -9, 9));
      steps.push_back(RandomInt(random, 1, 3) * (random.Below(2) == 0 ? 1 : -1));
      expected = reference::Slice(expected, static_cast<size_t>(axis), starts.back(), ends.back(),
                                  steps.back());
    }
    if (expected.values.empty()) continue;  // refused, see below
    ++checked;
    EXPECT_TRUE(
        Close(RunOp(OpType::kSlice, {&x},
                    {{"starts", starts}, {"ends", ends}, {"axes", axes}, {"steps", steps}})[0],
              expected, 0));
  }
  EXPECT_GT(checked, 60);
}

TEST(Slice, TakesTheExtremesExportersWrite) {
  const Tensor x({4}, {1, 2, 3, 4});
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_TRUE(Same(RunOp(OpType::kSlice, {&x}, {{"starts", Ints{1}}, {"ends", Ints{kMax}}})[0],
                   Tensor({3}, {2, 3, 4})));
  EXPECT_TRUE(Same(RunOp(OpType::kSlice, {&x},
                         {{"starts", Ints{-1}}, {"ends", Ints{kMin}}, {"steps", Ints{-1}}})[0],
                   Tensor({4}, {4, 3, 2, 1})));
  EXPECT_TRUE(Same(RunOp(OpType::kSlice, {&x},
                         {{"starts", Ints{kMax}}, {"ends", Ints{kMin}}, {"steps", Ints{kMin}}})[0],
                   Tensor({1}, {4})));
  EXPECT_TRUE(Same(RunOp(OpType::kSlice, {&x},
                         {{"starts", Ints{kMin}}, {"ends", Ints{kMax}}, {"steps", Ints{kMax}}})[0],
                   Tensor({1}, {1})));
}

TEST(Slice, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{4, 4});
  const auto message = [&](testing::AttributeList attributes) {
    return MessageOf([&] { RunOp(OpType::kSlice, {&x}, attributes); });
  };
  EXPECT_EQ(message({{"starts", Ints{2}}, {"ends", Ints{2}}}),
            "Slice \"node\": the output has shape [0,4]; every dimension must be at least 1");
  EXPECT_THAT(message({{"starts", Ints{0}}}), HasSubstr("attribute ends is missing"));
  EXPECT_THAT(message({{"starts", Ints{0}}, {"ends", Ints{1, 2}}}),
              HasSubstr("have 1, 2, 1 and 1 values, equal expected"));
  EXPECT_THAT(message({{"starts", Ints{0}}, {"ends", Ints{1}}, {"steps", Ints{0}}}),
              HasSubstr("a step of 0"));
  EXPECT_THAT(message({{"starts", Ints{0, 0, 0}}, {"ends", Ints{1, 1, 1}}}),
              HasSubstr("axis 2 is out of range for rank 2"));
}

}  // namespace
}  // namespace sparsify
