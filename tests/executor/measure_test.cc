#include "sparsity/executor/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/error.h"
#include "sparsity/executor/stolen_time.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

TEST(StolenTime, IsReadFromTheEighthField) {
  const auto time = ParseProcessorTime("cpu  10 20 30 40 50 60 70 80 5 5\ncpu0 1 2 3\n");
  ASSERT_TRUE(time.has_value());
  EXPECT_EQ(time->total, 360);
  EXPECT_EQ(time->steal, 80);
  EXPECT_FALSE(ParseProcessorTime("intr 1 2 3").has_value());
  EXPECT_FALSE(ParseProcessorTime("cpu 1 2 3").has_value());
}

TEST(StolenTime, PercentOfTheIntervalBetweenTwoReadings) {
  EXPECT_DOUBLE_EQ(StolenPercent(ProcessorTime{100, 10}, ProcessorTime{300, 60}), 25.0);
  EXPECT_DOUBLE_EQ(StolenPercent(ProcessorTime{100, 10}, ProcessorTime{100, 10}), 0.0);
  EXPECT_DOUBLE_EQ(StolenPercent(std::nullopt, ProcessorTime{300, 60}), 0.0);
}

TEST(LargestError, IsRelativeToTheLargestExpectedElement) {
  const std::vector<Tensor> expected = {Tensor(Shape{2}, {1.0F, -4.0F})};
  const std::vector<Tensor> actual = {Tensor(Shape{2}, {1.5F, -4.0F})};
  EXPECT_DOUBLE_EQ(LargestError(actual, expected), 0.125);
  const std::vector<Tensor> broken = {Tensor(Shape{2}, {std::nanf(""), -4.0F})};
  EXPECT_EQ(LargestError(broken, expected), std::numeric_limits<double>::infinity());
}

TEST(MeasureSpeedup, FillsARowFromVerifiedPlans) {
  Graph graph = testing::SmallResidualNet();
  testing::PruneRandomly(graph, 0.8, 3);
  BenchmarkOptions options;
  options.repetitions = 3;
  options.plan_cache = std::nullopt;
  const SpeedRow row = MeasureSpeedup(graph, 8, 1, options);
  EXPECT_EQ(row.batch, 8);
  EXPECT_EQ(row.threads, 1);
  EXPECT_EQ(row.precision, "f32");
  EXPECT_NEAR(row.sparsity, 80, 5);
  EXPECT_GT(row.dense.min_ms, 0);
  EXPECT_LE(row.dense.min_ms, row.dense.median_ms);
  EXPECT_DOUBLE_EQ(row.speedup, row.dense.median_ms / row.sparse.median_ms);
  EXPECT_GE(row.speedup, 1.0);
  EXPECT_GE(row.direct.median_ms, row.dense.median_ms);
  EXPECT_DOUBLE_EQ(row.speedup_direct, row.direct.median_ms / row.sparse.median_ms);
  EXPECT_LE(row.max_error, RoundingTolerance(graph));
  EXPECT_GE(row.steal_percent, 0);
}

TEST(MeasureSpeedup, MeasuresANetworkThatFixesItsBatch) {
  Graph graph = testing::SmallResidualNet();
  graph.inputs[0].shape = Shape({4, 3, 16, 16});
  BenchmarkOptions options;
  options.repetitions = 1;
  options.plan_cache = std::nullopt;
  const SpeedRow row = MeasureSpeedup(graph, 4, 1, options);
  EXPECT_EQ(row.batch, 4);
  EXPECT_LE(row.max_error, RoundingTolerance(graph));
}

TEST(MeasureSpeedup, LayersHaveTimesAndPeaks) {
  for (const double sparsity : {0.0, 0.8}) {
    Graph graph = testing::SmallResidualNet();
    testing::PruneRandomly(graph, sparsity, 3);
    BenchmarkOptions options;
    options.repetitions = 1;
    options.plan_cache = std::nullopt;
    const SpeedRow row = MeasureSpeedup(graph, 8, 1, options);
    for (const StepReport& step : row.plan.steps) {
      if (!step.is_layer) continue;
      EXPECT_GT(step.time_ms, 0) << step.name;
      EXPECT_GT(step.dense_time_ms, 0) << step.name;
    }
    EXPECT_EQ(row.peak.threads, 1);
    EXPECT_EQ(IsaName(row.peak.isa), row.isa);
    EXPECT_GT(row.peak.gflops, 0);
    EXPECT_GT(row.peak.gigabytes_per_second, 0);
  }
}

TEST(MeasureSpeedup, SeveralStreamsAreVerifiedAndCounted) {
  Graph graph = testing::SmallResidualNet();
  testing::PruneRandomly(graph, 0.8, 3);
  BenchmarkOptions options;
  options.repetitions = 6;
  options.plan_cache = std::nullopt;
  const SpeedRow row = MeasureSpeedup(graph, 8, 1, options, 2);
  EXPECT_EQ(row.streams, 2);
  EXPECT_EQ(row.threads, 1);
  EXPECT_DOUBLE_EQ(row.ImagesPerSecond(), 2 * 8 * 1e3 / row.sparse.median_ms);
  EXPECT_DOUBLE_EQ(row.speedup, row.ImagesPerSecond() / row.DenseImagesPerSecond());
  EXPECT_LE(row.max_error, RoundingTolerance(graph));
  int64_t constants = 0;
  for (const StepReport& step : row.plan.steps) constants += step.constant_bytes;
  EXPECT_EQ(row.plan.constant_bytes, 2 * constants);
}

TEST(MeasureSpeedup, EveryLayerIsSparseOrSaysWhyNot) {
  Graph graph = testing::SmallMobileNet();
  testing::PruneRandomly(graph, 0.5, 3);
  BenchmarkOptions options;
  options.repetitions = 1;
  options.plan_cache = std::nullopt;
  const SpeedRow row = MeasureSpeedup(graph, 8, 1, options);
  for (const StepReport& step : row.plan.steps) {
    if (!step.is_layer) continue;
    EXPECT_TRUE(step.kernel.starts_with("sparse") || !step.reason.empty())
        << step.name << " runs " << step.kernel << " without a reason";
  }
}

TEST(MeasureSpeedup, RefusesAPrecisionThatIsNotBuilt) {
  BenchmarkOptions options;
  options.precision = {"f32", "int8"};
  try {
    MeasureSpeedup(testing::SmallResidualNet(), 1, 1, options);
    FAIL() << "int8 was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_STREQ(e.what(), "benchmark.precision: \"int8\" is not built yet; available: f32");
  }
}

}  // namespace
}  // namespace sparsify
