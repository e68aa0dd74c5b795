#include "tests/support/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/random_tensor.h"

namespace sparsify::testing {
namespace {

using ::testing::HasSubstr;

TEST(Close, AllowsRoundingsTimesMagnitude) {
  const Tensor actual({2}, {1.0F, 2.0F});
  const reference::Array magnitude = {{2}, {1, 1}};
  EXPECT_TRUE(Close(actual, {{2}, {1.0, 2.0 + 0x1p-24}}, magnitude, 1));
  EXPECT_FALSE(Close(actual, {{2}, {1.0, 2.0 + 0x1p-23}}, magnitude, 1));
  EXPECT_TRUE(Close(actual, {{2}, {1.0, 2.0 + 0x1p-23}}, magnitude, 2));
  EXPECT_FALSE(Close(actual, {{2}, {1.0, 2.0 + 0x1p-40}}, magnitude, 0));
}

TEST(Close, ReportsTheWorstElement) {
  const Tensor actual({3}, {1, 5, 3});
  const auto result = Close(actual, {{3}, {1.5, 2, 3}}, {{3}, {1, 1, 1}}, 1);
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("worst element 1 of [3]: 5, expected 2, "));
}

TEST(Close, RefusesOtherShapesAndNan) {
  const Tensor two({2}, {1, 2});
  EXPECT_FALSE(Close(two, {{1, 2}, {1, 2}}, 1));
  EXPECT_FALSE(Close(two, {{2}, {1, NAN}}, 1e9));
  EXPECT_FALSE(Close(Tensor({1}, {NAN}), {{1}, {0}}, 1e9, 1));
}

TEST(Same, IsExact) {
  const Tensor a({2}, {0.0F, 1.0F});
  EXPECT_TRUE(Same(a, Tensor({2}, {-0.0F, 1.0F})));
  EXPECT_FALSE(Same(a, Tensor({2}, {0.0F, std::nextafter(1.0F, 2.0F)})));
  EXPECT_FALSE(Same(a, Tensor({2, 1}, {0.0F, 1.0F})));
}

TEST(RelativeError, IsTheShareOfTheNorm) {
  const Tensor a({2}, {3, 4.5F});
  const Tensor b({2}, {3, 4});
  EXPECT_DOUBLE_EQ(RelativeError(a, b), 0.1);
  EXPECT_EQ(RelativeError(b, b), 0);
  EXPECT_TRUE(std::isinf(RelativeError(a, Tensor(Shape{2}))));
  EXPECT_TRUE(std::isinf(RelativeError(a, Tensor(Shape{3}))));
}

}  // namespace
}  // namespace sparsify::testing
