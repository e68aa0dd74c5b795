#include "sparsity/executor/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "sparsity/base/random.h"

namespace sparsify {
namespace {

/// Largest sum of bytes alive at one step: no layout can be smaller.
int64_t PeakDemand(const std::vector<ArenaRequest>& requests) {
  int64_t peak = 0;
  for (const ArenaRequest& at : requests) {
    int64_t alive = 0;
    for (const ArenaRequest& other : requests) {
      if (other.first <= at.first && at.first <= other.last) alive += other.bytes;
    }
    peak = std::max(peak, alive);
  }
  return peak;
}

void ExpectNoOverlap(const std::vector<ArenaRequest>& requests, const ArenaLayout& layout) {
  ASSERT_EQ(layout.offsets.size(), requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_GE(layout.offsets[i], 0);
    EXPECT_EQ(layout.offsets[i] % kArenaAlignment, 0);
    EXPECT_LE(layout.offsets[i] + requests[i].bytes, layout.bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool together =
          requests[i].first <= requests[j].last && requests[j].first <= requests[i].last;
      const bool apart = layout.offsets[i] + requests[i].bytes <= layout.offsets[j] ||
                         layout.offsets[j] + requests[j].bytes <= layout.offsets[i];
      EXPECT_TRUE(!together || apart) << "requests " << i << " and " << j << " overlap";
    }
  }
}

TEST(PlanArena, NothingNeedsNothing) { EXPECT_EQ(PlanArena({}).bytes, 0); }

TEST(PlanArena, AChainNeedsItsTwoLargestNeighbours) {
  const std::vector<ArenaRequest> chain = {{640, 0, 1}, {320, 1, 2}, {640, 2, 3}, {64, 3, 4}};
  const ArenaLayout layout = PlanArena(chain);
  ExpectNoOverlap(chain, layout);
  EXPECT_EQ(layout.bytes, 960);
}

TEST(PlanArena, RandomLifetimesNeverOverlapAndStayNearTheLowerBound) {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<ArenaRequest> requests(1 + random.Below(40));
    for (ArenaRequest& request : requests) {
      request.bytes = static_cast<int64_t>(random.Below(2000));
      request.first = static_cast<int>(random.Below(30));
      request.last = request.first + static_cast<int>(random.Below(6));
    }
    const ArenaLayout layout = PlanArena(requests);
    ExpectNoOverlap(requests, layout);
    const auto rounding = static_cast<int64_t>(requests.size()) * kArenaAlignment;
    EXPECT_LE(layout.bytes, 2 * PeakDemand(requests) + rounding);
  }
}

TEST(AlignedBuffer, IsAlignedAndZeroed) {
  for (int64_t bytes : {int64_t{1}, int64_t{4096}, int64_t{5} << 20}) {
    const AlignedBuffer buffer(bytes);
    EXPECT_EQ(buffer.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kArenaAlignment, 0U);
    EXPECT_TRUE(std::all_of(buffer.data(), buffer.data() + bytes,
                            [](std::byte b) { return b == std::byte{0}; }));
  }
}

}  // namespace
}  // namespace sparsify
