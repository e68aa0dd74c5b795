#include "sparsity/executor/stream_timing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

Graph PrunedNet() {
  Graph graph = testing::SmallResidualNet();
  testing::PruneRandomly(graph, 0.8, 3);
  return graph;
}

const PlanOptions kOptions = {.batch = 8, .threads = 1, .tune = false};

TEST(TwinPlan, HasTheKernelsTimesAndResultsOfTheOther) {
  const Graph graph = PrunedNet();
  PlanOptions options = kOptions;
  options.tune = true;
  options.winograd = true;
  const Plan plan(graph, options);
  const Plan twin(graph, plan);
  ASSERT_EQ(twin.report().steps.size(), plan.report().steps.size());
  for (size_t i = 0; i < plan.report().steps.size(); ++i) {
    const StepReport& step = plan.report().steps[i];
    const StepReport& other = twin.report().steps[i];
    EXPECT_EQ(other.kernel, step.kernel);
    EXPECT_EQ(other.winograd, step.winograd);
    EXPECT_EQ(other.time_ms, step.time_ms);
    EXPECT_EQ(other.dense_time_ms, step.dense_time_ms);
    EXPECT_EQ(other.reason, step.reason);
  }
  EXPECT_EQ(twin.report().arena_bytes, plan.report().arena_bytes);
  EXPECT_EQ(twin.report().constant_bytes, plan.report().constant_bytes);
  const std::vector<Tensor> inputs = testing::RandomInputs(plan.input_shapes(), 7);
  const Tensor expected = testing::RunPlan(plan, inputs)[0];
  const Tensor actual = testing::RunPlan(twin, inputs)[0];
  for (int64_t i = 0; i < expected.size(); ++i) ASSERT_EQ(actual[i], expected[i]) << i;
}

TEST(TwinPlan, OutlivesTheOther) {
  const Graph graph = PrunedNet();
  std::unique_ptr<Plan> plan = std::make_unique<Plan>(graph, kOptions);
  const Plan twin(graph, *plan);
  plan.reset();
  EXPECT_TRUE(testing::AgreesWithInterpreter(graph, twin));
}

TEST(TwinPlan, OfAnotherGraphIsRefused) {
  const Plan plan(PrunedNet(), kOptions);
  try {
    const Plan twin(testing::SmallMobileNet(), plan);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is not the one that the other plan was made of"),
              std::string::npos)
        << error.what();
  }
}

TEST(TwinPlan, PlansRunAtOnceAndStayRight) {
  const Graph graph = PrunedNet();
  StreamPlans plans(graph, kOptions, 3);
  ThreadTeam team(3);
  plans.Run(team, 20);
  ASSERT_EQ(plans.batches().size(), 3U);
  const std::vector<Tensor> expected = testing::RunPlan(plans.plan(), plans.batch().inputs);
  for (const PlanBatch& batch : plans.batches()) {
    EXPECT_EQ(LargestError(batch.outputs, expected), 0);
  }
}

TEST(StreamPlans, ReportTheMemoryOfAll) {
  const Graph graph = PrunedNet();
  const StreamPlans one(graph, kOptions, 1);
  const StreamPlans three(graph, kOptions, 3);
  EXPECT_EQ(one.Report().arena_bytes, one.plan().report().arena_bytes);
  EXPECT_EQ(three.Report().arena_bytes, 3 * one.Report().arena_bytes);
  EXPECT_EQ(three.Report().constant_bytes, 3 * one.Report().constant_bytes);
  EXPECT_EQ(three.Report().bandwidth_bytes, one.Report().bandwidth_bytes);
}

TEST(StreamPlans, TimeIsThatOfOneRunOfAll) {
  const Graph graph = PrunedNet();
  StreamPlans plans(graph, kOptions, 2);
  ThreadTeam team(2);
  plans.Run(team, 1);
  const auto start = std::chrono::steady_clock::now();
  const double ms = plans.Run(team, 10);
  const std::chrono::duration<double, std::milli> all = std::chrono::steady_clock::now() - start;
  EXPECT_GT(ms, 0);
  EXPECT_LE(10 * ms, all.count());
}

TEST(TimeInTurns, EverySideGetsATiming) {
  const Graph graph = PrunedNet();
  PlanOptions dense = kOptions;
  dense.allow_sparse = false;
  for (const int streams : {1, 2}) {
    StreamPlans a(graph, kOptions, streams);
    StreamPlans b(graph, dense, streams);
    const std::vector<Timing> timings = TimeInTurns({&a, &b}, streams, 7);
    ASSERT_EQ(timings.size(), 2U);
    for (const Timing& timing : timings) {
      EXPECT_GT(timing.min_ms, 0);
      EXPECT_LE(timing.min_ms, timing.median_ms);
    }
  }
}

TEST(TimeInTurnsDeathTest, CtrlCStopsAllStreams) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        InstallInterruptHandlers();
        const Graph graph = PrunedNet();
        StreamPlans plans(graph, kOptions, 2);
        std::thread signaller([] {
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
          std::raise(SIGINT);
        });
        signaller.detach();
        try {
          TimeInTurns({&plans}, 2, int64_t{1} << 40);
        } catch (const Error& error) {
          std::_Exit(error.kind() == ErrorKind::kInterrupted ? 42 : 1);
        }
        std::_Exit(2);
      },
      ::testing::ExitedWithCode(42), "");
}

TEST(SpeedRow, ThroughputCountsTheImagesOfAllStreams) {
  SpeedRow row;
  row.batch = 8;
  row.streams = 3;
  row.sparse = {1, 2};
  row.dense = {4, 6};
  EXPECT_DOUBLE_EQ(row.ImagesPerSecond(), 12'000);
  EXPECT_DOUBLE_EQ(row.DenseImagesPerSecond(), 4'000);
  row.threads = 2;
  EXPECT_EQ(row.Name(), "batch 8, 2 threads, 3 streams");
  row.streams = 1;
  EXPECT_EQ(row.Name(), "batch 8, 2 threads");
  EXPECT_EQ(SpeedRow().ImagesPerSecond(), 0);
}

TEST(WarnOfCrowding, SpeaksWhereStreamsShareProcessors) {
  BenchmarkOptions options;
  options.threads = {1, 2, 16};
  options.streams = {1, 4};
  const LogCapture log;
  WarnOfCrowding(options, 8);  // 4 × 2 fits
  ASSERT_EQ(log.lines().size(), 2U);
  EXPECT_TRUE(log.Contains("warning: benchmark: 16 threads share 8 processors; such times"));
  EXPECT_TRUE(
      log.Contains("warning: benchmark: 4 streams of 16 threads share 8 processors; use at most 1 "
                   "streams for the throughput of this machine"));
  options.threads = {2};
  WarnOfCrowding(options, 7);
  EXPECT_TRUE(log.Contains("4 streams of 2 threads share 7 processors; use at most 3 streams"));
}

}  // namespace
}  // namespace sparsify
