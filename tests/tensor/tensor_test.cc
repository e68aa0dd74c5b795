#include "sparsity/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

TEST(Shape, CountsAndPrints) {
  const Shape shape = {64, 3, 7, 7};
  EXPECT_EQ(shape.NumElements(), 9408);
  EXPECT_EQ(shape.ToString(), "[64,3,7,7]");
  EXPECT_EQ(shape[-1], 7);
  EXPECT_EQ(Shape{}.NumElements(), 1);
  EXPECT_EQ((Shape{3, 0, 5}).NumElements(), 0);
}

TEST(Shape, WithoutADimension) {
  EXPECT_EQ(Shape({-1, 3, 8, 9}).Without(0), Shape({3, 8, 9}));
  EXPECT_EQ(Shape({2, 3, 4}).Without(-1), Shape({2, 3}));
  EXPECT_THROW(Shape().Without(0), Error);
}

TEST(Shape, RefusesUnknownAndAbsurdSizes) {
  EXPECT_THROW((Shape{-1, 3}).NumElements(), Error);
  EXPECT_THROW((Shape{1LL << 62, 1LL << 62}).NumElements(), Error);
  EXPECT_THROW((Shape{1 << 20, 1 << 20, 2}).NumElements(), Error);
  EXPECT_THROW((Shape{2})[1], Error);
}

TEST(Tensor, IsAlignedZeroedAndDeepCopied) {
  const Tensor a(Shape{3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % 64, 0U);
  EXPECT_EQ(CountZeros(a), 15);
  Tensor b = a;
  b[4] = 2;
  EXPECT_EQ(a[4], 0);
  EXPECT_EQ(CountZeros(b), 14);
}

TEST(Tensor, MoveLeavesEmpty) {
  Tensor a(Shape{2}, {1, 2});
  const Tensor b = std::move(a);
  EXPECT_EQ(b[1], 2);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): the contract under test
}

TEST(Tensor, ResizeKeepsMemoryWhenItFits) {
  Tensor a(Shape{8});
  const float* before = a.data();
  a.Resize({2, 3});
  EXPECT_EQ(a.data(), before);
  EXPECT_EQ(a.size(), 6);
}

TEST(Tensor, WrongCountsAreRefused) {
  EXPECT_THROW(Tensor(Shape{2}, {1, 2, 3}), Error);
  Tensor a(Shape{6});
  EXPECT_THROW(a.Reshape({4}), Error);
}

TEST(Tensor, FindsTheFirstNonFinite) {
  Tensor a(Shape{4}, {1, 2, std::numeric_limits<float>::infinity(), NAN});
  EXPECT_EQ(FirstNonFinite(a), 2);
  EXPECT_EQ(FirstNonFinite(Tensor(Shape{4})), -1);
}

}  // namespace
}  // namespace sparsify
