#include "sparsity/ops/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

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

TEST(Split, AgreesWithReferenceSlices) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t rank = RandomInt(random, 1, 4);
    const int64_t axis = RandomInt(random, 0, rank - 1);
    Ints sizes;
    int64_t total = 0;
    for (int64_t i = RandomInt(random, 1, 4); i > 0; --i) {
      sizes.push_back(RandomInt(random, 1, 4));
      total += sizes.back();
    }
    std::vector<int64_t> dims;
    for (int64_t i = 0; i < rank; ++i) dims.push_back(RandomInt(random, 1, 5));
    dims[static_cast<size_t>(axis)] = total;
    const Tensor x = RandomTensor(random, Shape(dims));
    const auto parts =
        RunOp(OpType::kSplit, {&x}, {{"axis", axis - rank}, {"split", sizes}}, sizes.size());
    int64_t start = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_TRUE(Close(
          parts[i],
          reference::Slice(ToArray(x), static_cast<size_t>(axis), start, start + sizes[i], 1), 0));
      start += sizes[i];
    }
  }
}

TEST(Split, MakesEqualParts) {
  const Tensor x({5}, {1, 2, 3, 4, 5});
  const auto uneven = RunOp(OpType::kSplit, {&x}, {{"num_outputs", int64_t{2}}}, 2);
  EXPECT_TRUE(Same(uneven[0], Tensor({3}, {1, 2, 3})));
  EXPECT_TRUE(Same(uneven[1], Tensor({2}, {4, 5})));
  EXPECT_THAT(MessageOf([&] { RunOp(OpType::kSplit, {&x}, {}, 2); }),
              HasSubstr("5 does not divide into 2 equal parts"));
  EXPECT_EQ(RunOp(OpType::kSplit, {&x}, {}, 5)[4].shape(), Shape{1});
}

TEST(Split, ExplainsWhatDoesNotFit) {
  const Tensor x(Shape{4});
  const auto message = [&](testing::AttributeList attributes, size_t outputs) {
    return MessageOf([&] { RunOp(OpType::kSplit, {&x}, attributes, outputs); });
  };
  EXPECT_EQ(message({{"split", Ints{1, 2}}}, 2),
            "Split \"node\": split [1,2] does not cut 4 into 2 outputs");
  EXPECT_THAT(message({{"split", Ints{2, 2}}}, 3), HasSubstr("into 3 outputs"));
  EXPECT_THAT(message({{"split", Ints{1LL << 62, 1LL << 62}}}, 2), HasSubstr("does not cut 4"));
  EXPECT_THAT(message({{"split", Ints{0, 4}}}, 2), HasSubstr("has shape [0]; every dimension"));
  EXPECT_THAT(message({{"num_outputs", int64_t{3}}}, 2), HasSubstr("num_outputs is 3"));
  EXPECT_THAT(message({{"num_outputs", int64_t{6}}}, 6), HasSubstr("every dimension must be"));
}

}  // namespace
}  // namespace sparsify
