#include "sparsity/ops/reduce_mean.h"

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

TEST(ReduceMean, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t rank = RandomInt(random, 1, 5);
    std::vector<int64_t> dims;
    for (int64_t i = 0; i < rank; ++i) dims.push_back(RandomInt(random, 1, 6));
    Ints axes;
    std::vector<bool> reduced(dims.size(), false);
    for (int64_t i = 0; i < rank; ++i) {
      if (random.Below(2) == 0) continue;
      axes.push_back(random.Below(2) == 0 ? i : i - rank);
      reduced[static_cast<size_t>(i)] = true;
    }
    if (axes.empty()) reduced.assign(dims.size(), true);  // absent axes: all
    const Tensor x = RandomTensor(random, Shape(dims));
    const bool keep = seed % 2 == 0;
    testing::AttributeList attributes = {{"keepdims", int64_t{keep}}};
    if (!axes.empty()) attributes.emplace_back("axes", axes);
    auto expected = Mean(ToArray(x), reduced);
    auto magnitude = Mean(Abs(ToArray(x)), reduced);
    if (!keep) {
      Ints left;
      for (size_t i = 0; i < dims.size(); ++i) {
        if (!reduced[i]) left.push_back(dims[i]);
      }
      expected.dims = magnitude.dims = left;
    }
    EXPECT_TRUE(Close(RunOp(OpType::kReduceMean, {&x}, attributes)[0], expected, magnitude, 1.01));
  }
}

TEST(ReduceMean, MayDoNothingWithoutAxes) {
  const Tensor x({2}, {1, 3});
  EXPECT_TRUE(Same(RunOp(OpType::kReduceMean, {&x}, {{"noop_with_empty_axes", int64_t{1}}})[0], x));
  EXPECT_TRUE(Same(RunOp(OpType::kReduceMean, {&x})[0], Tensor({1}, {2})));
}

TEST(ReduceMean, ExplainsBadAxes) {
  const Tensor x(Shape{2, 2});
  const auto message = [&](Ints axes) {
    return MessageOf([&] { RunOp(OpType::kReduceMean, {&x}, {{"axes", axes}}); });
  };
  EXPECT_EQ(message({2}), "ReduceMean \"node\": axis 2 is out of range for rank 2");
  EXPECT_THAT(message({1, -1}), HasSubstr("axis -1 is named twice"));
}

TEST(GlobalAveragePool, AgreesWithReference) {
  Random random(1);
  for (const Shape& shape : {Shape{3, 5, 7, 7}, Shape{1, 2, 1, 9}, Shape{2, 3, 4}}) {
    const Tensor x = RandomTensor(random, shape);
    std::vector<bool> reduced(static_cast<size_t>(shape.rank()), true);
    reduced[0] = reduced[1] = false;
    EXPECT_TRUE(Close(RunOp(OpType::kGlobalAveragePool, {&x})[0], Mean(ToArray(x), reduced),
                      Mean(Abs(ToArray(x)), reduced), 1.01));
  }
  const Tensor flat(Shape{2, 3});
  EXPECT_THAT(MessageOf([&] { RunOp(OpType::kGlobalAveragePool, {&flat}); }),
              HasSubstr("input [2,3] must have a batch, a channel and spatial dimensions"));
}

}  // namespace
}  // namespace sparsify
