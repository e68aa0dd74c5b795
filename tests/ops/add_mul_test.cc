#include "sparsity/ops/add_mul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/elementwise.h"
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

void ExpectAgreement(const Tensor& a, const Tensor& b) {
  SCOPED_TRACE(a.shape().ToString() + " and " + b.shape().ToString());
  EXPECT_TRUE(Close(RunOp(OpType::kAdd, {&a, &b})[0],
                    Broadcast(ToArray(a), ToArray(b), [](double p, double q) { return p + q; }),
                    1));
  EXPECT_TRUE(Close(RunOp(OpType::kMul, {&a, &b})[0],
                    Broadcast(ToArray(a), ToArray(b), [](double p, double q) { return p * q; }),
                    1));
}

TEST(AddMul, BroadcastEveryWayNetworksDo) {
  Random random(1);
  const std::pair<Shape, Shape> pairs[] = {{{2, 3, 4, 5}, {2, 3, 4, 5}},
                                           {{2, 3, 4, 5}, {2, 3, 1, 1}},
                                           {{2, 3, 1, 1}, {2, 3, 4, 5}},
                                           {{2, 3, 4, 5}, {3, 1, 1}},
                                           {{2, 3, 4, 5}, {5}},
                                           {{2, 3, 4, 5}, {}},
                                           {{1}, {2, 3, 4, 5}},
                                           {{2, 1, 4, 1}, {3, 1, 5}},
                                           {{4, 1}, {1, 5}},
                                           {{}, {}},
                                           {{1, 1, 1}, {1}},
                                           {{70000}, {1}},
                                           {{3, 40000}, {3, 1}},
                                           {{3, 40000}, {40000}},
                                           {{5000, 7}, {7}}};
  for (const auto& [a, b] : pairs) {
    ExpectAgreement(RandomTensor(random, a), RandomTensor(random, b));
  }
}

TEST(AddMul, AgreeWithReferenceOnRandomBroadcasts) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    std::vector<int64_t> a;
    std::vector<int64_t> b;
    for (int64_t i = RandomInt(random, 0, 5); i > 0; --i) {
      const int64_t dim = RandomInt(random, 1, 5);
      a.push_back(random.Below(3) == 0 ? 1 : dim);
      b.push_back(random.Below(3) == 0 ? 1 : dim);
    }
    b.erase(b.begin(), b.begin() + RandomInt(random, 0, static_cast<int64_t>(b.size())));
    const Tensor wide = RandomTensor(random, Shape(a));
    const Tensor narrow = RandomTensor(random, Shape(b));
    ExpectAgreement(wide, narrow);
    ExpectAgreement(narrow, wide);
  }
}

TEST(AddMul, ExplainWhatDoesNotBroadcast) {
  const Tensor a(Shape{2, 3});
  const Tensor b(Shape{2});
  EXPECT_EQ(MessageOf([&] {
              RunOp(OpType::kAdd, {&a, &b});
            }),
            "Add \"node\": shapes [2,3] and [2] do not broadcast");
  EXPECT_THAT(MessageOf([&] {
                RunOp(OpType::kMul, {&a, &a, &a});
              }),
              HasSubstr("3 inputs given, at most 2 expected"));
}

}  // namespace
}  // namespace sparsify
