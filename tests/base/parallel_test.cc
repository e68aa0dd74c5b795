#include "sparsity/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnce) {
  std::vector<std::atomic<int>> visits(1000);
  ParallelFor(1000, [&](int64_t i) { ++visits[static_cast<size_t>(i)]; });
  for (const auto& count : visits) EXPECT_EQ(count.load(), 1);
}

TEST(ParallelFor, RethrowsTheBodysError) {
  EXPECT_THROW(ParallelFor(64,
                           [](int64_t i) {
                             if (i == 33) Fail("item", "bad {}", i);
                           }),
               Error);
}

TEST(Threads, CanBeSet) {
  SetThreads(1);
  EXPECT_EQ(Threads(), 1);
  SetThreads(0);
  EXPECT_GE(Threads(), 1);
}

}  // namespace
}  // namespace sparsify
