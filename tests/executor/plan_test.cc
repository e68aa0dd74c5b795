#include "sparsity/executor/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/parallel.h"
#include "tests/executor/plan_support.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::AgreesWithInterpreter;
using testing::GraphBuilder;
using ::testing::HasSubstr;

Plan DensePlan(const Graph& graph, int64_t batch, int threads = 1) {
  return Plan(graph, {.batch = batch, .threads = threads, .allow_sparse = false});
}

class DensePlanBatch : public ::testing::TestWithParam<int64_t> {};

TEST_P(DensePlanBatch, ResidualNetworkAgreesWithTheInterpreter) {
  const Graph graph = testing::SmallResidualNet();
  EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, GetParam())));
}

TEST_P(DensePlanBatch, MobileNetworkAgreesWithTheInterpreter) {
  const Graph graph = testing::SmallMobileNet();
  EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Batches, DensePlanBatch, ::testing::Values(1, 2, 3, 8));

TEST(DensePlan, PoolsConcatAndOddChannels) {
  GraphBuilder b;
  ValueId x = b.Input({3, 15, 13});
  x = b.Relu("r1", b.Conv("c1", x, 3, 20, 3));
  const ValueId max = b.Op(OpType::kMaxPool, "max", {x},
                           {{"kernel_shape", std::vector<int64_t>{3, 3}},
                            {"strides", std::vector<int64_t>{2, 2}},
                            {"ceil_mode", int64_t{1}}});
  const ValueId narrow = b.Conv("narrow", max, 20, 5, 1);
  const ValueId wide = b.Relu("r2", b.Conv("wide", max, 20, 12, 5));
  ValueId y = b.Op(OpType::kConcat, "cat", {narrow, wide, max}, {{"axis", int64_t{1}}});
  y = b.Op(OpType::kAveragePool, "avg", {y},
           {{"kernel_shape", std::vector<int64_t>{3, 3}},
            {"pads", std::vector<int64_t>{1, 1, 1, 1}},
            {"count_include_pad", int64_t{1}}});
  y = b.Op(OpType::kSoftmax, "soft", {b.Op(OpType::kFlatten, "flat", {y})},
           {{"axis", int64_t{-1}}});
  const Graph graph = b.Finish({y});
  for (int64_t batch : {1, 3}) EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, batch)));
}

TEST(DensePlan, FullyConnectedOverPixelsAndSeveralOutputs) {
  GraphBuilder b;
  const ValueId x = b.Conv("c1", b.Input({3, 6, 6}), 3, 24, 3);
  const ValueId act = b.Op(OpType::kSiLU, "silu", {x});
  const ValueId fc = b.Linear("fc", b.Op(OpType::kFlatten, "flat", {act}), 24 * 36, 7);
  const Graph graph = b.Finish({fc, act, x});
  EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, 2)));
}

TEST(DensePlan, ResidualReadAgainLaterIsKept) {
  GraphBuilder b;
  const ValueId x = b.Relu("r1", b.Conv("c1", b.Input({3, 8, 8}), 3, 16, 3));
  const ValueId y = b.Op(OpType::kAdd, "a1", {b.Conv("c2", x, 16, 16, 3), x});
  const ValueId z = b.Op(OpType::kAdd, "a2", {b.Conv("c3", y, 16, 16, 3), x});
  const Graph graph = b.Finish({z, y});
  EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, 2)));
}

TEST(DensePlan, ConvolutionAddedToItsOwnInput) {
  GraphBuilder b;
  const ValueId x = b.Relu("r1", b.Conv("c1", b.Input({3, 8, 8}), 3, 16, 3));
  const Graph graph =
      b.Finish({b.Relu("r2", b.Op(OpType::kAdd, "a", {x, b.Conv("c2", x, 16, 16, 3)}))});
  EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, 2)));
}

TEST(DensePlan, OperatorsWithoutAFastKernelRunFromTheTable) {
  GraphBuilder b;
  ValueId x = b.Conv("c1", b.Input({4, 8, 8}), 4, 16, 1);
  x = b.Op(OpType::kReshape, "split", {x}, {{"shape", std::vector<int64_t>{0, 2, 8, 64}}});
  x = b.Op(OpType::kTranspose, "shuffle", {x}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  x = b.Op(OpType::kReshape, "join", {x}, {{"shape", std::vector<int64_t>{0, 16, 8, 8}}});
  x = b.Op(OpType::kMul, "scale", {x, b.Parameter("factor", Tensor(Shape{1}, {0.5F}))});
  const Graph graph = b.Finish({b.Relu("r", b.Conv("c2", x, 16, 8, 3))});
  const Plan plan = DensePlan(graph, 2);
  EXPECT_TRUE(AgreesWithInterpreter(graph, plan));
}

TEST(DensePlan, NetworkThatOnlyPassesItsInputThrough) {
  GraphBuilder b;
  const Graph graph = b.Finish({b.Op(OpType::kIdentity, "same", {b.Input({2, 3, 3})})});
  EXPECT_TRUE(AgreesWithInterpreter(graph, DensePlan(graph, 2)));
}

TEST(DensePlan, SameResultOnTwoThreadsAndTheThreadCountIsRestored) {
  const Graph graph = testing::SmallResidualNet();
  SetThreads(1);
  const Plan plan = DensePlan(graph, 4, 2);
  EXPECT_TRUE(AgreesWithInterpreter(graph, plan));
  EXPECT_EQ(Threads(), 1);
  SetThreads(0);
}

TEST(DensePlan, ReportCountsFusedStepsAndBytes) {
  const Graph graph = testing::SmallResidualNet();
  const Plan plan = DensePlan(graph, 2);
  const PlanReport& report = plan.report();
  int layers = 0;
  for (const StepReport& step : report.steps) layers += step.is_layer ? 1 : 0;
  EXPECT_EQ(layers, 5);
  EXPECT_EQ(report.fused_steps, static_cast<int64_t>(report.steps.size()));
  EXPECT_GT(report.arena_bytes, 0);
  EXPECT_GE(report.constant_bytes, 4 * CountParameters(graph) / 2);
  EXPECT_GT(report.bandwidth_bytes, report.constant_bytes);
}

TEST(DensePlan, RefusesAWrongNumberOfBuffers) {
  const Graph graph = testing::SmallResidualNet();
  const Plan plan = DensePlan(graph, 1);
  EXPECT_THAT(testing::MessageOf([&] { plan.Run({}, {}); }),
              HasSubstr("plan: 0 inputs and 0 outputs given, the network has 1 and 1"));
  EXPECT_THAT(testing::MessageOf([&] { DensePlan(graph, 0); }),
              HasSubstr("plan: batch 0 and threads 1 must be at least 1"));
}

}  // namespace
}  // namespace sparsify
