#include "sparsity/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace sparsify {
namespace {

// From a Python transcription of the published splitmix64 and xoshiro256++ algorithms.
TEST(Random, StreamIsThePublishedOne) {
  Random random(7);
  EXPECT_EQ(random.NextBits(), 0x0e2c1a002aae913dULL);
  EXPECT_EQ(random.NextBits(), 0x2c0fc8ddfa4e9e14ULL);
  EXPECT_EQ(random.NextBits(), 0xb7b311b3b0d45872ULL);
}

TEST(Random, SameSeedSameStream) {
  Random a(7);
  Random b(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.NextBits(), b.NextBits());
  EXPECT_NE(Random(7, 0).NextBits(), Random(7, 1).NextBits());
}

TEST(Random, UniformHasTheRightMeanAndBounds) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double u = random.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 5 * 0.2887 / 316.2);
}

TEST(Random, NormalHasUnitVariance) {
  Random random(2);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = random.Normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 100000, 0, 5 / 316.2);
  EXPECT_NEAR(squares / 100000, 1, 5 * 1.4142 / 316.2);
}

TEST(Random, PermutationHoldsEachOnce) {
  Random random(3);
  const auto order = random.Permutation(50);
  EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 50U);
}

TEST(Random, StateCanBeRestored) {
  Random a(9);
  a.NextBits();
  Random b(0);
  b.set_state(a.state());
  EXPECT_EQ(a.NextBits(), b.NextBits());
}

}  // namespace
}  // namespace sparsify
