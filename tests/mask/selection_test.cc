#include "sparsity/mask/selection.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/mask/mask_testing.h"

namespace sparsify {
namespace {

using testing::CountOfPercent;
using testing::MessageOf;
using testing::NaiveSmallest;

TEST(PruneCount, IsExactForEveryPercentAndSize) {
  for (int64_t n = 0; n <= 1000; ++n) {
    for (int64_t percent = 0; percent <= 100; ++percent) {
      ASSERT_EQ(PruneCount(n, static_cast<double>(percent) / 100), CountOfPercent(n, percent))
          << percent << " % of " << n;
    }
  }
  EXPECT_EQ(PruneCount(100'000'000, 0.9), 90'000'000);
  EXPECT_EQ(PruneCount(99'999'999, 0.3), CountOfPercent(99'999'999, 30));
}

TEST(PruneCount, ReturnsTheCountAFractionCameFrom) {
  Random random(11);
  for (int i = 0; i < 20000; ++i) {
    const auto n = static_cast<int64_t>(1 + random.Below(100'000'000));
    const auto pruned = static_cast<int64_t>(random.Below(static_cast<uint64_t>(n) + 1));
    ASSERT_EQ(PruneCount(n, static_cast<double>(pruned) / static_cast<double>(n)), pruned) << n;
  }
}

TEST(PruneCount, RoundsPartsOfAThingTowardsPruning) {
  EXPECT_EQ(PruneCount(3, 0.5), 2);
  EXPECT_EQ(PruneCount(3, 0.01), 1);
  EXPECT_EQ(PruneCount(1, 0.01), 1);
  EXPECT_EQ(PruneCount(1, 0), 0);
}

TEST(SmallestScores, EqualsAStableSort) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> scores(random.Below(60));
    for (double& s : scores) s = static_cast<double>(random.Below(9)) - 4;
    const auto count = static_cast<int64_t>(random.Below(scores.size() + 1));
    ASSERT_EQ(SmallestScores(scores, count), NaiveSmallest(scores, count));
  }
}

TEST(FindThreshold, SplitsAnyNonNegativeFloats) {
  Random random(6);
  const float special[] = {0.0F, 1e-45F, 1e-38F, 1.0F, 65504.0F, std::numeric_limits<float>::max()};
  for (int round = 0; round < 200; ++round) {
    std::vector<float> values(1 + random.Below(300));
    for (float& v : values) {
      v = random.Below(4) == 0 ? special[random.Below(6)]
                               : static_cast<float>(std::exp(20 * random.Normal()));
      if (!std::isfinite(v)) v = 1;
    }
    const auto count = static_cast<int64_t>(random.Below(values.size() + 1));
    const Threshold t = FindThreshold(count, [&](const auto& visit) {
      for (const float v : values) visit(v);
    });
    std::vector<float> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    const auto below = std::lower_bound(sorted.begin(), sorted.end(), t.value) - sorted.begin();
    ASSERT_EQ(below + t.ties, count);
    if (count > 0) {
      ASSERT_EQ(t.value, sorted[static_cast<size_t>(count) - 1]);
    }
  }
}

TEST(FindThreshold, RefusesToFindMoreThanThereAre) {
  EXPECT_EQ(MessageOf([] { FindThreshold(3, [](const auto& visit) { visit(1.0F); }); }),
            "selection: 2 more values are asked for than there are");
}

}  // namespace
}  // namespace sparsify
