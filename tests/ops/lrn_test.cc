#include "sparsity/ops/lrn.h"

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

TEST(Lrn, AgreesWithReference) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Tensor x = RandomTensor(random, {RandomInt(random, 1, 2), RandomInt(random, 1, 9),
                                           RandomInt(random, 1, 5), RandomInt(random, 1, 5)});
    const int64_t size = RandomInt(random, 1, 12);
    const double alpha = seed % 2 == 0 ? 1e-4 : 0.8;
    const double beta = seed % 3 == 0 ? 0.75 : 0.5;
    const double bias = seed % 5 == 0 ? 2 : 1;
    EXPECT_TRUE(Close(RunOp(OpType::kLRN, {&x},
                            {{"size", size}, {"alpha", alpha}, {"beta", beta}, {"bias", bias}})[0],
                      Lrn(ToArray(x), size, alpha, beta, bias), 20));
  }
}

TEST(Lrn, ExplainsABadSize) {
  const Tensor x(Shape{1, 2, 2, 2});
  EXPECT_EQ(MessageOf([&] { RunOp(OpType::kLRN, {&x}); }),
            "LRN \"node\": attribute size is 0, at least 1 expected");
}

}  // namespace
}  // namespace sparsify
