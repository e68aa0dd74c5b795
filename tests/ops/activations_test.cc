#include "sparsity/ops/activations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

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

// Normal values over a wide range, many of them beyond every function's bends.
Tensor Inputs(uint64_t seed) {
  Random random(seed);
  Tensor x = RandomTensor(random, {3, 5, 37, 41});
  for (float& v : x.values()) v *= 4;
  x[0] = 0;
  return x;
}

void ExpectFunction(OpType type, const testing::AttributeList& attributes, double roundings,
                    double floor, const std::function<double(double)>& f) {
  SCOPED_TRACE(std::string(OpName(type)));
  const Tensor x = Inputs(11);
  const Tensor y = RunOp(type, {&x}, attributes)[0];
  EXPECT_TRUE(Close(y, reference::Map(ToArray(x), f), roundings, floor));
}

TEST(Activations, AgreeWithTheirFormulas) {
  ExpectFunction(OpType::kRelu, {}, 0, 0, [](double x) { return std::max(x, 0.0); });
  ExpectFunction(OpType::kSigmoid, {}, 40, 0, reference::Sigmoid);
  ExpectFunction(OpType::kSiLU, {}, 40, 0, [](double x) { return x * reference::Sigmoid(x); });
  // The bends subtract nearly equal numbers: absolute error of the terms, |x| <= 20.
  ExpectFunction(OpType::kHardSigmoid, {}, 4, 1,
                 [](double x) { return reference::HardSigmoid(x, 0.2, 0.5); });
  ExpectFunction(OpType::kHardSigmoid, {{"alpha", 1.0 / 6}, {"beta", 0.25}}, 4, 1,
                 [](double x) { return reference::HardSigmoid(x, 1.0 / 6, 0.25); });
  ExpectFunction(OpType::kHardSwish, {}, 4, 20, reference::HardSwish);
}

TEST(Clip, BoundsOnlyWhereAsked) {
  ExpectFunction(OpType::kClip, {{"min", 0.0}, {"max", 6.0}}, 0, 0,
                 [](double x) { return std::min(std::max(x, 0.0), 6.0); });
  ExpectFunction(OpType::kClip, {{"min", -1.5}}, 0, 0, [](double x) { return std::max(x, -1.5); });
  ExpectFunction(OpType::kClip, {{"max", int64_t{2}}}, 0, 0,
                 [](double x) { return std::min(x, 2.0); });
  ExpectFunction(OpType::kClip, {}, 0, 0, [](double x) { return x; });
}

TEST(Activations, SurviveExtremes) {
  const float huge = std::numeric_limits<float>::max();
  const Tensor x({3}, {-huge, 0, huge});
  EXPECT_TRUE(Same(RunOp(OpType::kSigmoid, {&x})[0], Tensor({3}, {0, 0.5F, 1})));
  EXPECT_TRUE(Same(RunOp(OpType::kHardSwish, {&x})[0], Tensor({3}, {0, 0, huge})));
  EXPECT_TRUE(Same(RunOp(OpType::kHardSigmoid, {&x})[0], Tensor({3}, {0, 0.5F, 1})));
}

TEST(Activations, ReportNanInsteadOfHidingIt) {
  const Tensor x({1}, {std::nanf("")});
  for (const OpType type : {OpType::kRelu, OpType::kClip, OpType::kSigmoid, OpType::kSiLU,
                            OpType::kHardSwish, OpType::kHardSigmoid}) {
    EXPECT_TRUE(std::isnan(RunOp(type, {&x}, {})[0][0])) << OpName(type);
  }
}

}  // namespace
}  // namespace sparsify
