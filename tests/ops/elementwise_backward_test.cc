// Gradients of the activations and of Add and Mul with broadcasting.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/elementwise.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/random_tensor.h"

namespace sparsify {
namespace {

using reference::Array;
using testing::AttributeList;
using testing::ExpectGradients;
using testing::RandomInt;
using testing::RandomTensor;
using testing::Same;

void CheckActivation(OpType type, const AttributeList& attributes,
                     const std::function<double(double)>& f) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Random random(seed);
    Tensor x = RandomTensor(random, {2, 5, 3, 7});
    for (float& v : x.values()) v *= 3;
    const auto forward = [&](const std::vector<Array>& in) {
      return std::vector<Array>{reference::Map(in[0], f)};
    };
    // The exponential and the products around it round about ten times.
    ExpectGradients({type, {x}, attributes, forward, 16}, seed);
  }
}

TEST(ActivationsBackward, AgreeWithDifferences) {
  CheckActivation(OpType::kRelu, {}, [](double x) { return std::max(0.0, x); });
  CheckActivation(OpType::kClip, {{"min", -1.0}, {"max", 2.5}},
                  [](double x) { return std::clamp(x, -1.0, 2.5); });
  CheckActivation(OpType::kClip, {{"min", 0.5}}, [](double x) { return std::max(x, 0.5); });
  CheckActivation(OpType::kSigmoid, {}, reference::Sigmoid);
  CheckActivation(OpType::kHardSigmoid, {},
                  [](double x) { return reference::HardSigmoid(x, 0.2, 0.5); });
  CheckActivation(OpType::kHardSigmoid, {{"alpha", 0.25}, {"beta", 0.4}},
                  [](double x) { return reference::HardSigmoid(x, 0.25, 0.4); });
  CheckActivation(OpType::kHardSwish, {}, reference::HardSwish);
  CheckActivation(OpType::kSiLU, {}, [](double x) { return x * reference::Sigmoid(x); });
}

TEST(ActivationsBackward, StayFiniteFarOut) {
  const Tensor x({4}, {-200, -100, 100, 200});
  const Tensor g({4}, {1, 1, 1, 1});
  EXPECT_TRUE(Same(testing::RunBackward(OpType::kSigmoid, {&x}, {}, {&g}, {0})[0],
                   Tensor({4}, {0, 0, 0, 0})));
  const Tensor silu = testing::RunBackward(OpType::kSiLU, {&x}, {}, {&g}, {0})[0];
  EXPECT_EQ(silu[0], 0);
  EXPECT_EQ(silu[2], 1);
  EXPECT_EQ(silu[3], 1);
}

TEST(ActivationsBackward, CornersTakeTheFlatSide) {
  const Tensor x({3}, {0, 6, 3});
  const Tensor g({3}, {1, 1, 1});
  EXPECT_TRUE(
      Same(testing::RunBackward(OpType::kRelu, {&x}, {}, {&g}, {0})[0], Tensor({3}, {0, 1, 1})));
  EXPECT_TRUE(
      Same(testing::RunBackward(OpType::kClip, {&x}, {{"min", 0.0}, {"max", 6.0}}, {&g}, {0})[0],
           Tensor({3}, {0, 0, 1})));
}

void CheckBroadcast(Random& random, const Shape& a, const Shape& b, uint64_t seed) {
  const std::vector<Tensor> inputs = {RandomTensor(random, a), RandomTensor(random, b)};
  const auto length = static_cast<double>(std::max(inputs[0].size(), inputs[1].size()));
  const auto check = [&](OpType type, const std::function<double(double, double)>& f) {
    const auto forward = [&](const std::vector<Array>& in) {
      return std::vector<Array>{reference::Broadcast(in[0], in[1], f)};
    };
    ExpectGradients({type, inputs, {}, forward, 3 + length}, seed);
  };
  check(OpType::kAdd, [](double p, double q) { return p + q; });
  check(OpType::kMul, [](double p, double q) { return p * q; });
}

TEST(AddMulBackward, SumOverEveryKindOfBroadcast) {
  Random random(1);
  const std::pair<Shape, Shape> pairs[] = {{{2, 3, 4, 5}, {2, 3, 4, 5}},
                                           {{2, 3, 4, 5}, {2, 3, 1, 1}},
                                           {{2, 3, 1, 1}, {2, 3, 4, 5}},
                                           {{2, 3, 4, 5}, {3, 1, 1}},
                                           {{2, 3, 4, 5}, {5}},
                                           {{2, 3, 4, 5}, {}},
                                           {{2, 1, 4, 1}, {3, 1, 5}},
                                           {{4, 1}, {1, 5}},
                                           {{}, {}},
                                           {{1, 1, 1}, {1}},
                                           {{2, 3, 4, 5}, {1, 3, 1, 1}}};
  for (const auto& [a, b] : pairs) CheckBroadcast(random, a, b, 1);
}

TEST(AddMulBackward, AgreeWithDifferencesOnRandomBroadcasts) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    std::vector<int64_t> a;
    std::vector<int64_t> b;
    for (int64_t i = RandomInt(random, 0, 4); i > 0; --i) {
      const int64_t dim = RandomInt(random, 1, 4);
      a.push_back(random.Below(3) == 0 ? 1 : dim);
      b.push_back(random.Below(3) == 0 ? 1 : dim);
    }
    b.erase(b.begin(), b.begin() + RandomInt(random, 0, static_cast<int64_t>(b.size())));
    CheckBroadcast(random, Shape(a), Shape(b), seed);
    CheckBroadcast(random, Shape(b), Shape(a), seed);
  }
}

}  // namespace
}  // namespace sparsify
