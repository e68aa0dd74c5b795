#include "schedulers/channel_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "schedulers/channel_exchange.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

MagnitudeColumns RandomColumns(int64_t rows, int64_t columns, uint64_t seed) {
  Random random(seed);
  MagnitudeColumns made(rows, columns);
  for (int64_t c = 0; c < columns; ++c) {
    const double scale = 0.2 + random.Uniform();
    for (int64_t r = 0; r < rows; ++r) {
      made.Column(c)[r] = static_cast<float>(std::abs(random.Normal()) * scale);
    }
  }
  return made;
}

// Σ over rows of the n largest of some columns, by sorting.
double NaiveKept(const MagnitudeColumns& columns, const std::vector<int64_t>& stripe, int64_t n) {
  double sum = 0;
  for (int64_t r = 0; r < columns.rows(); ++r) {
    std::vector<double> row;
    for (const int64_t c : stripe) row.push_back(columns.Column(c)[r]);
    std::sort(row.begin(), row.end(), std::greater<>());
    for (int64_t i = 0; i < n; ++i) sum += row[static_cast<size_t>(i)];
  }
  return sum;
}

// The most that any grouping of the columns keeps: the first left column with every three others.
double BestOfAll(const MagnitudeColumns& columns, std::vector<int64_t> left, int64_t n) {
  if (left.empty()) return 0;
  double best = 0;
  for (size_t a = 1; a < left.size(); ++a) {
    for (size_t b = a + 1; b < left.size(); ++b) {
      for (size_t c = b + 1; c < left.size(); ++c) {
        std::vector<int64_t> rest;
        for (size_t i = 1; i < left.size(); ++i) {
          if (i != a && i != b && i != c) rest.push_back(left[i]);
        }
        const double own = NaiveKept(columns, {left[0], left[a], left[b], left[c]}, n);
        best = std::max(best, own + BestOfAll(columns, rest, n));
      }
    }
  }
  return best;
}

std::vector<int64_t> InPlace(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

TEST(Splits, AreTheThirtyFiveWaysToShareEightColumns) {
  std::set<std::set<std::set<int>>> ways;
  for (const auto& split : Splits()) {
    const std::set<int> first(split.begin(), split.begin() + 4);
    const std::set<int> second(split.begin() + 4, split.end());
    std::set<int> all = first;
    all.insert(second.begin(), second.end());
    EXPECT_EQ(all.size(), 8U);
    EXPECT_TRUE(first.contains(0));
    ways.insert({first, second});
  }
  EXPECT_EQ(ways.size(), 35U);
  EXPECT_EQ(Splits()[0], (std::array<int, 8>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(BestExchange, GainsWhatTheBestSplitKeepsMore) {
  for (const int64_t rows : {1, 7, 64, 65, 200}) {
    for (int64_t n = 1; n <= 3; ++n) {
      const MagnitudeColumns columns = RandomColumns(rows, 8, static_cast<uint64_t>(rows + n));
      std::array<const float*, 8> eight;
      for (size_t c = 0; c < 8; ++c) eight[c] = columns.Column(static_cast<int64_t>(c));
      const Exchange found = BestExchange(eight, columns.padded_rows(), n);
      const double before =
          NaiveKept(columns, {0, 1, 2, 3}, n) + NaiveKept(columns, {4, 5, 6, 7}, n);
      const double best = BestOfAll(columns, InPlace(8), n);
      EXPECT_NEAR(found.gain, best - before, 1e-5 * best);
      const auto& split = Splits()[static_cast<size_t>(found.split)];
      const double kept = NaiveKept(columns, {split.begin(), split.begin() + 4}, n) +
                          NaiveKept(columns, {split.begin() + 4, split.end()}, n);
      EXPECT_NEAR(kept, best, 1e-5 * best);
    }
  }
}

TEST(BestExchange, IsTheSameToTheBitOnEveryVectorUnit) {
  EXPECT_EQ(ExchangeTargets()[0], "Plain");
  for (int64_t n = 1; n <= 3; ++n) {
    const MagnitudeColumns columns = RandomColumns(300, 8, static_cast<uint64_t>(50 + n));
    std::array<const float*, 8> eight;
    for (size_t c = 0; c < 8; ++c) eight[c] = columns.Column(static_cast<int64_t>(c));
    const Exchange chosen = BestExchange(eight, columns.padded_rows(), n);
    EXPECT_GT(chosen.gain, 0);
    for (size_t target = 0; target < ExchangeTargets().size(); ++target) {
      const Exchange found = BestExchangeOn(target, eight, columns.padded_rows(), n);
      EXPECT_EQ(found.gain, chosen.gain) << ExchangeTargets()[target];
      EXPECT_EQ(found.split, chosen.split) << ExchangeTargets()[target];
    }
  }
}

TEST(KeptMagnitude, SumsTheLargestOfEveryStripeInThatOrder) {
  const MagnitudeColumns columns = RandomColumns(33, 12, 1);
  Random random(2);
  for (int64_t n = 1; n <= 3; ++n) {
    const std::vector<int64_t> order = random.Permutation(12);
    double expected = 0;
    for (auto stripe = order.begin(); stripe != order.end(); stripe += 4) {
      expected += NaiveKept(columns, {stripe, stripe + 4}, n);
    }
    EXPECT_NEAR(KeptMagnitude(columns, order, n), expected, 1e-9 * expected);
  }
}

TEST(SearchStripes, FindsTheOptimumOfSmallProblems) {
  for (const int64_t count : {4, 8, 12}) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const int64_t n = 1 + static_cast<int64_t>(seed % 3);
      const MagnitudeColumns columns = RandomColumns(10, count, 100 + seed);
      const StripeSearchResult found = SearchStripes(columns, {.n = n, .seed = seed});
      const double best = BestOfAll(columns, InPlace(count), n);
      EXPECT_NEAR(KeptMagnitude(columns, found.order, n), best, 1e-5 * best);
    }
  }
}

TEST(SearchStripes, GathersColumnsThatDoNotMeet) {
  // Columns c and c + 16 never have a weight in the same row: 2:4 can keep everything.
  MagnitudeColumns columns(16, 32);
  for (int64_t c = 0; c < 32; ++c) columns.Column(c)[c % 16] = 1;
  MagnitudeColumns crowded(4, 32);  // each row has eight weights, side by side
  for (int64_t c = 0; c < 32; ++c) crowded.Column(c)[c / 8] = 1;
  EXPECT_EQ(KeptMagnitude(columns, SearchStripes(columns, {}).order, 2), 32);
  EXPECT_EQ(KeptMagnitude(crowded, InPlace(32), 2), 16);
  EXPECT_EQ(KeptMagnitude(crowded, SearchStripes(crowded, {}).order, 2), 32);
}

TEST(SearchStripes, KeepsTheGivenOrderWhereNothingIsBetter) {
  MagnitudeColumns equal(5, 16);
  for (int64_t c = 0; c < 16; ++c) std::fill_n(equal.Column(c), 5, 0.5F);
  const StripeSearchResult result = SearchStripes(equal, {});
  EXPECT_EQ(result.order, InPlace(16));
  EXPECT_EQ(result.swaps, 0);
}

TEST(SearchStripes, IsBoundedAndTheSameOnAnyNumberOfThreads) {
  const MagnitudeColumns columns = RandomColumns(70, 64, 3);
  SetThreads(1);
  const StripeSearchResult one = SearchStripes(columns, {.escapes = 30, .seed = 4});
  SetThreads(4);
  const StripeSearchResult four = SearchStripes(columns, {.escapes = 30, .seed = 4});
  SetThreads(0);
  EXPECT_EQ(one.order, four.order);
  EXPECT_EQ(one.swaps, four.swaps);
  EXPECT_EQ(one.escapes, 30);
  std::vector<int64_t> sorted = one.order;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, InPlace(64));
  EXPECT_EQ(SearchStripes(columns, {.work = 0}).escapes, 0);
  const double climbed = KeptMagnitude(columns, SearchStripes(columns, {.escapes = 0}).order, 2);
  EXPECT_GT(climbed, KeptMagnitude(columns, InPlace(64), 2));
  EXPECT_GT(KeptMagnitude(columns, one.order, 2), climbed);
}

}  // namespace
}  // namespace sparsify
