#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "reconstruction/second_order/linear_algebra.h"
#include "second_order_support.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

using namespace second_order_test;  // NOLINT(google-build-using-namespace)

FloatMatrix Random(int64_t rows, int64_t columns, uint64_t seed) {
  const Tensor tensor = RandomTensor({rows, columns}, seed);
  return Eigen::Map<const FloatMatrix>(tensor.data(), rows, columns);
}

// Positive definite.
FloatMatrix Gram(int64_t n) {
  const FloatMatrix a = Random(n, 2 * n, 1);
  return a * a.transpose() / static_cast<float>(2 * n);
}

TEST(LinearAlgebra, LowerTrianglesAreMirroredAcrossTiles) {
  for (const int64_t n : {0, 1, 63, 64, 65, 200}) {
    Matrix a(n, n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) a(i, j) = static_cast<double>(1000 * i + j);
    }
    MirrorLower(a);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        ASSERT_EQ(a(i, j), static_cast<double>(1000 * std::max(i, j) + std::min(i, j)));
      }
    }
  }
}

TEST(LinearAlgebra, FactorsInFloatSolveEveryRowWhateverTheThreads) {
  constexpr int64_t kColumns = 30;
  constexpr int64_t kRows = 3000;  // enough to be shared out
  const FloatMatrix a = Gram(kColumns);
  FloatMatrix factor = a;
  ASSERT_TRUE(FactorCholesky(factor));
  EXPECT_LT((factor * factor.transpose() - a).cwiseAbs().maxCoeff(), 1e-5);
  const FloatMatrix right = Random(kRows, kColumns, 2);
  for (const int threads : {1, 2, 9}) {
    SetThreads(threads);
    FloatMatrix rows = right;
    SolveCholesky(factor, rows);
    for (int64_t r = 0; r < kRows; r += r < 10 ? 1 : 499) {
      Rows h(kColumns, Row(kColumns));
      Row t(kColumns);
      for (int64_t i = 0; i < kColumns; ++i) {
        t[At(i)] = right(r, i);
        for (int64_t j = 0; j < kColumns; ++j) h[At(i)][At(j)] = a(i, j);
      }
      const Row expected = Solve(h, t);
      for (int64_t i = 0; i < kColumns; ++i) {
        EXPECT_NEAR(rows(r, i), static_cast<double>(expected[At(i)]), 1e-4) << threads;
      }
    }
  }
  SetThreads(0);
}

TEST(LinearAlgebra, WhatIsNotPositiveDefiniteHasNoFactorInFloat) {
  FloatMatrix a = Gram(5);
  a(2, 2) = -1;
  EXPECT_FALSE(FactorCholesky(a));
  a = Gram(5);
  a(3, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(FactorCholesky(a));
  FloatMatrix none;
  EXPECT_TRUE(FactorCholesky(none));
}

}  // namespace
}  // namespace sparsify
