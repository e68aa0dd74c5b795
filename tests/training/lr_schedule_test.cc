#include "sparsity/training/lr_schedule.h"

#include <gtest/gtest.h>

#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::MessageOf;

TEST(LrSchedule, ConstantStaysAtOne) {
  for (const int64_t step : {0, 1, 99}) EXPECT_EQ(LrFactor(LrSchedule::kConstant, step, 100), 1);
}

TEST(LrSchedule, CosineFallsFromOneTowardsZero) {
  EXPECT_EQ(LrFactor(LrSchedule::kCosine, 0, 100), 1);
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 25, 100), 0.8535533906, 1e-9);  // (1 + 1/√2) / 2
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 50, 100), 0.5, 1e-12);
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 75, 100), 0.1464466094, 1e-9);
  EXPECT_GT(LrFactor(LrSchedule::kCosine, 99, 100), 0);
  EXPECT_LT(LrFactor(LrSchedule::kCosine, 99, 100), 0.001);
}

TEST(LrSchedule, WarmUpRisesToOneThenTheRestFollows) {
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kCosine, 0, 14, 4), 0.2);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kCosine, 3, 14, 4), 0.8);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kCosine, 4, 14, 4), 1);
  EXPECT_NEAR(LrFactor(LrSchedule::kCosine, 9, 14, 4), 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(LrFactor(LrSchedule::kConstant, 1, 3, 10), 2.0 / 11);
}

TEST(LrSchedule, HasNames) {
  EXPECT_EQ(LrScheduleFromName("a.yaml", "constant"), LrSchedule::kConstant);
  EXPECT_EQ(LrScheduleFromName("a.yaml", "cosine"), LrSchedule::kCosine);
  EXPECT_EQ(MessageOf([] { LrScheduleFromName("a.yaml", "step"); }),
            "a.yaml: unknown learning-rate schedule \"step\"; known: constant, cosine");
  EXPECT_EQ(MessageOf([] { LrFactor(LrSchedule::kCosine, 5, 5); }),
            "learning rate: step 5 asked for, the run has 5 steps");
}

}  // namespace
}  // namespace sparsify
