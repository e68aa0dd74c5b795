#include "sparsity/executor/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sparsity/executor/dense.h"
#include "sparsity/executor/plan.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::AgreesWithInterpreter;
using testing::GraphBuilder;

/// A residual network of 3×3 layers; `strided` and `grouped` have no Winograd form.
Graph Network() {
  GraphBuilder b;
  ValueId x = b.Relu("r0", b.Conv("stem", b.Input({16, 28, 28}), 16, 32, 3));
  const ValueId y = b.Relu("r1", b.Conv("first", x, 32, 32, 3, 1, 1, true));
  x = b.Relu("r2", b.Op(OpType::kAdd, "sum", {b.Conv("second", y, 32, 32, 3), x}));
  x = b.Relu("r3", b.Conv("strided", x, 32, 32, 3, 2));
  x = b.Relu("r4", b.Conv("grouped", x, 32, 32, 3, 1, 2));
  x = b.Relu("r5", b.Conv("pointwise", x, 32, 48, 1));
  return b.Finish({b.Conv("last", x, 48, 16, 3)});
}

const StepReport& StepOf(const Plan& plan, const std::string& name) {
  const auto& steps = plan.report().steps;
  return *std::find_if(steps.begin(), steps.end(),
                       [&](const StepReport& step) { return step.name == name; });
}

bool HasKernels(const Graph& graph) {
  return StepOf(Plan(graph, {.batch = 8, .allow_sparse = false, .tune = false, .winograd = true}),
                "first")
      .winograd;
}

TEST(Winograd, IsNotUsedUnasked) {
  const Graph graph = Network();
  const Plan plan(graph, {.batch = 8, .allow_sparse = false});
  for (const StepReport& step : plan.report().steps) {
    EXPECT_FALSE(step.winograd) << step.name;
    EXPECT_EQ(step.kernel.find("wino"), std::string::npos) << step.kernel;
  }
}

TEST(Winograd, ComputesWhatTheInterpreterDoes) {
  const Graph graph = Network();
  if (!HasKernels(graph)) GTEST_SKIP() << "no Winograd kernels on this processor and library";
  for (const int64_t batch : {1, 2, 8}) {
    const Plan plan(graph,
                    {.batch = batch, .allow_sparse = false, .tune = false, .winograd = true});
    EXPECT_TRUE(AgreesWithInterpreter(graph, plan, 2e-5)) << "batch " << batch;
  }
}

TEST(Winograd, OnlyWhereAThreeByThreeLayerHasStrideOneAndOneGroup) {
  const Graph graph = Network();
  if (!HasKernels(graph)) GTEST_SKIP() << "no Winograd kernels on this processor and library";
  const Plan plan(graph, {.batch = 8, .allow_sparse = false, .tune = false, .winograd = true});
  for (const char* name : {"first", "second"}) EXPECT_TRUE(StepOf(plan, name).winograd) << name;
  for (const char* name : {"strided", "grouped", "pointwise"}) {
    EXPECT_FALSE(StepOf(plan, name).winograd) << name;
  }
}

TEST(Winograd, IsACandidateBesideSparseKernels) {
  Graph graph = Network();
  testing::PruneRandomly(graph, 0.5, 3);
  for (const bool tune : {false, true}) {
    const Plan plan(graph, {.batch = 8, .tune = tune, .winograd = true});
    EXPECT_TRUE(AgreesWithInterpreter(graph, plan, 2e-5)) << "tune " << tune;
    for (const StepReport& step : plan.report().steps) {
      EXPECT_EQ(step.winograd, step.kernel.find("wino") != std::string::npos) << step.kernel;
    }
  }
}

TEST(Winograd, KernelsOfOneStepShareAPriceAndTheTwoAlgorithmsDoNot) {
  FusedGraph graph = Fuse(Network(), 8);
  FusedStep& step = graph.steps[1];
  const KernelPtr direct = MakeDenseKernel(graph, step, {});
  const Pricing::Job job = DenseJob(graph, step, *direct);
  EXPECT_EQ(job.inputs, std::vector<Shape>({Shape{8, 32, 28, 28}}));
  EXPECT_EQ(job.outputs, std::vector<Shape>({Shape{8, 32, 28, 28}}));
  EXPECT_DOUBLE_EQ(job.macs, 8.0 * 32 * 32 * 9 * 28 * 28);
  step.winograd = true;
  const KernelPtr winograd = MakeDenseKernel(graph, step, {});
  if (winograd->info().name == direct->info().name) {
    GTEST_SKIP() << "no Winograd kernels on this processor and library";
  }
  const Pricing::Job fewer = DenseJob(graph, step, *winograd);
  EXPECT_NE(fewer.key, job.key);
  EXPECT_NEAR(fewer.macs, job.macs / 2.25, 1);
}

}  // namespace
}  // namespace sparsify
