#include "sparsity/executor/profile.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

double SumOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

TEST(ProfilePlan, StepsSumToTheWholePlan) {
  Graph graph = testing::SmallResidualNet();
  testing::PruneRandomly(graph, 0.8, 3);
  const PlanProfile profile = ProfilePlan(graph, {.batch = 8, .tune = false}, 3);
  ASSERT_EQ(profile.step_ms.size(), profile.plan.steps.size());
  EXPECT_NEAR(SumOf(profile.step_ms), profile.times.ms, 1e-9 * profile.times.ms);
  for (const double ms : profile.step_ms) EXPECT_GT(ms, 0);
  EXPECT_LE(profile.times.ms, profile.times.dense_ms);
  const bool is_dense = profile.times.ms == profile.times.dense_ms;
  EXPECT_EQ(profile.plan.SparseLayerCount() == 0, is_dense);
}

TEST(ProfilePlan, NothingSparseIsTheDensePlan) {
  const Graph graph = testing::SmallResidualNet();
  const PlanProfile profile = ProfilePlan(graph, {.batch = 2, .allow_sparse = false}, 2);
  EXPECT_EQ(profile.times.ms, profile.times.dense_ms);
  EXPECT_NEAR(SumOf(profile.step_ms), profile.times.ms, 1e-9 * profile.times.ms);
  EXPECT_EQ(profile.plan.SparseLayerCount(), 0);
}

TEST(TimePlan, NeverIsSlowerThanDense) {
  Graph graph = testing::SmallMobileNet();
  testing::PruneRandomly(graph, 0.5, 3);
  const PlanTimes times = TimePlan(graph, {.batch = 2, .tune = false}, 2);
  EXPECT_GT(times.ms, 0);
  EXPECT_LE(times.ms, times.dense_ms);
}

}  // namespace
}  // namespace sparsify
