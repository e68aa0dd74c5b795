#include "sparsity/ops/softmax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/normalization.h"
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

TEST(Softmax, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const int64_t rank = RandomInt(random, 1, 4);
    std::vector<int64_t> dims;
    for (int64_t i = 0; i < rank; ++i) dims.push_back(RandomInt(random, 1, 12));
    Tensor x = RandomTensor(random, Shape(dims));
    for (float& v : x.values()) v *= 5;
    const int64_t axis = RandomInt(random, -rank, rank - 1);
    const auto positive = static_cast<size_t>(axis < 0 ? axis + rank : axis);
    // x − max is rounded once (|x − max| < 64) and exp turns that into a relative error.
    EXPECT_TRUE(Close(RunOp(OpType::kSoftmax, {&x}, {{"axis", axis}})[0],
                      Softmax(ToArray(x), positive), 70));
  }
}

TEST(Softmax, DefaultsToTheLastAxisAndDoesNotOverflow) {
  const Tensor x({2, 2}, {3e38F, -3e38F, 1000, 1000});
  EXPECT_TRUE(Same(RunOp(OpType::kSoftmax, {&x})[0], Tensor({2, 2}, {1, 0, 0.5F, 0.5F})));
  EXPECT_EQ(MessageOf([&] {
              RunOp(OpType::kSoftmax, {&x}, {{"axis", int64_t{2}}});
            }),
            "Softmax \"node\": axis 2 is out of range for rank 2");
}

}  // namespace
}  // namespace sparsify
