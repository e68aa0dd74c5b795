#include "sparsity/base/progress.h"

#include <gtest/gtest.h>

#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

TEST(Progress, FormatsRateAndTimeLeft) {
  EXPECT_EQ(FormatProgress("evaluate", 120, 1963, 4),
            "evaluate: 120/1963 (6 %), 30/s, 1 min 01 s left");
  EXPECT_EQ(FormatProgress("evaluate", 0, 10, 0), "evaluate: 0/10 (0 %)");
  EXPECT_EQ(FormatProgress("evaluate", 10, 10, 20), "evaluate: 10/10 (100 %), 0.5/s, took 20 s");
  EXPECT_EQ(FormatProgress("read", 5, 0, 2), "read: 5, 2.5/s");
}

TEST(Progress, ShortLoopsSayNothing) {
  const LogCapture capture;
  {
    Progress progress("quick", 1000, false);
    ParallelFor(1000, [&](int64_t) { progress.Advance(); });
  }
  EXPECT_TRUE(capture.lines().empty());
}

}  // namespace
}  // namespace sparsify
