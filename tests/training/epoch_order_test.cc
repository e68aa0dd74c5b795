#include "sparsity/training/epoch_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace sparsify {
namespace {

std::vector<int64_t> Pass(EpochOrder& order, int64_t pass, int64_t count) {
  std::vector<int64_t> samples;
  for (int64_t i = 0; i < count; ++i) samples.push_back(order.At(pass * count + i));
  return samples;
}

TEST(EpochOrder, EveryPassHasAllSamplesInAnotherOrder) {
  constexpr int64_t kCount = 50;
  EpochOrder order(kCount, 3);
  std::vector<int64_t> all(kCount);
  std::iota(all.begin(), all.end(), 0);
  std::vector<int64_t> before = all;
  for (int64_t pass = 0; pass < 20; ++pass) {
    const std::vector<int64_t> samples = Pass(order, pass, kCount);
    EXPECT_NE(samples, before);
    EXPECT_TRUE(std::is_permutation(samples.begin(), samples.end(), all.begin()));
    before = samples;
  }
}

TEST(EpochOrder, DependsOnSeedAndPositionAlone) {
  EpochOrder forwards(7, 3);
  EpochOrder backwards(7, 3);
  EpochOrder other(7, 4);
  std::vector<int64_t> a;
  std::vector<int64_t> b;
  std::vector<int64_t> c;
  for (int64_t i = 0; i < 70; ++i) {
    a.push_back(forwards.At(i));
    b.push_back(backwards.At(69 - i));
    c.push_back(other.At(i));
  }
  std::reverse(b.begin(), b.end());
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(EpochOrder, ASetOfOneIsAlwaysThatOne) {
  EpochOrder order(1, 3);
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(order.At(i), 0);
  EXPECT_EQ(order.At(int64_t{1} << 40), 0);
}

}  // namespace
}  // namespace sparsify
