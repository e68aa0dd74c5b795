#include "sparsity/ops/transpose.h"

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

TEST(Transpose, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t rank = RandomInt(random, 1, 5);
    std::vector<int64_t> dims;
    for (int64_t i = 0; i < rank; ++i) dims.push_back(RandomInt(random, 1, 7));
    const Tensor x = RandomTensor(random, Shape(dims));
    const Ints perm = random.Permutation(rank);
    EXPECT_TRUE(Close(RunOp(OpType::kTranspose, {&x}, {{"perm", perm}})[0],
                      Transpose(ToArray(x), {perm.begin(), perm.end()}), 0));
  }
}

TEST(Transpose, ReversesByDefault) {
  const Tensor x({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(Same(RunOp(OpType::kTranspose, {&x})[0], Tensor({3, 2}, {1, 4, 2, 5, 3, 6})));
  const Tensor scalar(Shape{}, {7});
  EXPECT_TRUE(Same(RunOp(OpType::kTranspose, {&scalar})[0], scalar));
}

TEST(Transpose, ExplainsBadPermutations) {
  const Tensor x(Shape{2, 3});
  const auto message = [&](Ints perm) {
    return MessageOf([&] { RunOp(OpType::kTranspose, {&x}, {{"perm", perm}}); });
  };
  EXPECT_EQ(message({0}), "Transpose \"node\": perm [0] has 1 axes, the input has 2");
  EXPECT_THAT(message({0, 0}), HasSubstr("axis 0 is named twice"));
  EXPECT_THAT(message({0, 2}), HasSubstr("axis 2 is out of range for rank 2"));
}

}  // namespace
}  // namespace sparsify
