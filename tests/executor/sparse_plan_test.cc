// Plans with sparse and lane kernels against the interpreter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sparsity/executor/plan.h"
#include "tests/executor/plan_support.h"
#include "tests/support/compare.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::AgreesWithInterpreter;
using testing::GraphBuilder;

Plan SparsePlan(const Graph& graph, int64_t batch, bool tune = false, int threads = 1) {
  return Plan(graph, {.batch = batch, .threads = threads, .allow_sparse = true, .tune = tune});
}

int64_t CountKernels(const Plan& plan, std::string_view prefix) {
  const std::vector<StepReport>& steps = plan.report().steps;
  return std::count_if(steps.begin(), steps.end(),
                       [&](const StepReport& step) { return step.kernel.starts_with(prefix); });
}

/// 32 channels, wide enough that skipping zeros pays by the fixed rule.
Graph WideNet(uint64_t seed) {
  GraphBuilder b("wide", seed);
  ValueId x = b.Relu("r0", b.Conv("stem", b.Input({3, 20, 20}), 3, 32, 3));
  x = b.Op(OpType::kMaxPool, "max", {x},
           {{"kernel_shape", std::vector<int64_t>{3, 3}},
            {"strides", std::vector<int64_t>{2, 2}},
            {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const ValueId y = b.Relu("r1", b.Conv("c1", x, 32, 64, 3));
  const ValueId z = b.Op(OpType::kSiLU, "silu", {b.Conv("c2", y, 64, 32, 1, 1, 1, true)});
  const ValueId sum = b.Relu("r2", b.Op(OpType::kAdd, "add", {b.Conv("c3", z, 32, 32, 5), x}));
  const ValueId group = b.Conv("grouped", sum, 32, 32, 3, 2, 4);
  const ValueId deep = b.Conv("deep", b.Conv("c4", sum, 32, 32, 1, 2), 32, 32, 3, 1, 32);
  ValueId cat = b.Op(OpType::kConcat, "cat", {group, deep}, {{"axis", int64_t{1}}});
  cat = b.Op(OpType::kAveragePool, "avg", {cat},
             {{"kernel_shape", std::vector<int64_t>{3, 3}},
              {"pads", std::vector<int64_t>{1, 1, 1, 1}},
              {"count_include_pad", int64_t{1}}});
  const ValueId fc = b.Linear("fc", b.Op(OpType::kFlatten, "flat", {cat}), 64 * 25, 11);
  return b.Finish({b.Op(OpType::kSoftmax, "soft", {fc}, {{"axis", int64_t{-1}}}), sum});
}

class SparsePlanCase : public ::testing::TestWithParam<std::tuple<int64_t, double, bool>> {};

TEST_P(SparsePlanCase, AgreesWithTheInterpreter) {
  const auto [batch, sparsity, tune] = GetParam();
  for (Graph graph : {testing::SmallResidualNet(), testing::SmallMobileNet(), WideNet(3)}) {
    testing::PruneRandomly(graph, sparsity, 17);
    EXPECT_TRUE(AgreesWithInterpreter(graph, SparsePlan(graph, batch, tune))) << graph.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SparsePlanCase,
                         ::testing::Combine(::testing::Values(1, 3, 8, 16, 24),
                                            ::testing::Values(0.4, 0.9), ::testing::Bool()));

// A fully connected layer over a picture is a convolution with a kernel as large as the picture.
TEST(SparsePlan, AKernelOfMorePositionsThanAStreamCountsRunsDense) {
  GraphBuilder b("wide_kernel");
  const ValueId x = b.Op(OpType::kFlatten, "flat", {b.Input({1, 257, 256})});
  Graph graph = b.Finish({b.Linear("fc", x, 257 * 256, 4)});
  testing::PruneRandomly(graph, 0.9, 17);
  for (const int64_t batch : {1, 3, 8, 16, 24}) {
    for (const bool tune : {false, true}) {
      EXPECT_TRUE(AgreesWithInterpreter(graph, SparsePlan(graph, batch, tune))) << batch;
    }
  }
}

TEST(SparsePlan, RunsSparseKernelsOverLanes) {
  Graph graph = WideNet(3);
  testing::PruneRandomly(graph, 0.9, 17);
  const Plan plan = SparsePlan(graph, 16);
  EXPECT_GE(CountKernels(plan, "sparse"), 4);
  EXPECT_GE(CountKernels(plan, "lanes"), 4);
}

TEST(SparsePlan, CountsLayersByTheirKernels) {
  Graph graph = WideNet(3);
  testing::PruneRandomly(graph, 0.9, 17);
  const Plan sparse = SparsePlan(graph, 16);
  EXPECT_EQ(sparse.report().LayerCount(), 8);
  EXPECT_EQ(sparse.report().SparseLayerCount(), CountKernels(sparse, "sparse"));
  const Plan dense(graph, {.batch = 16, .allow_sparse = false});
  EXPECT_EQ(dense.report().LayerCount(), 8);
  EXPECT_EQ(dense.report().SparseLayerCount(), 0);
}

TEST(SparsePlan, ConvolutionsOfSinglePositionsAreFullyConnected) {
  GraphBuilder b("classifier");
  const ValueId x = b.Conv("stem", b.Input({3, 10, 10}), 3, 24, 3);
  const ValueId pooled = b.Op(OpType::kGlobalAveragePool, "pool", {x});
  const ValueId wide = b.Relu("relu", b.Conv("wide", pooled, 24, 300, 1, 1, 1, true));
  Graph graph = b.Finish({b.Conv("narrow", wide, 300, 40, 1, 1, 1, true)});
  testing::PruneRandomly(graph, 0.8, 3);
  for (const int batch : {1, 3}) {
    const Plan plan = SparsePlan(graph, batch);
    EXPECT_EQ(CountKernels(plan, "sparse bitmask"), 2) << batch;
    EXPECT_TRUE(AgreesWithInterpreter(graph, plan));
  }
}

TEST(SparsePlan, TwoThreadsGiveTheSameAnswer) {
  Graph graph = WideNet(3);
  testing::PruneRandomly(graph, 0.8, 17);
  EXPECT_TRUE(AgreesWithInterpreter(graph, SparsePlan(graph, 16, false, 2)));
}

TEST(SparsePlan, WithoutTuningTheChoiceIsRepeatable) {
  Graph graph = WideNet(3);
  testing::PruneRandomly(graph, 0.8, 17);
  const Plan first = SparsePlan(graph, 8);
  const Plan second = SparsePlan(graph, 8);
  ASSERT_EQ(first.report().steps.size(), second.report().steps.size());
  for (size_t i = 0; i < first.report().steps.size(); ++i) {
    EXPECT_EQ(first.report().steps[i].kernel, second.report().steps[i].kernel);
  }
}

TEST(SparsePlan, ANetworkWithoutZerosIsAllDenseAndSaysWhy) {
  const Plan plan = SparsePlan(testing::SmallResidualNet(), 8, true);
  EXPECT_EQ(CountKernels(plan, "sparse"), 0);
  EXPECT_EQ(CountKernels(plan, "lanes"), 0);
  for (const StepReport& step : plan.report().steps) {
    if (!step.is_layer) continue;
    EXPECT_EQ(step.reason, "sparsity 0.00 below 0.30") << step.name;
  }
}

TEST(SparsePlan, ReasonsNameDepthwiseAndThreshold) {
  Graph graph = testing::SmallMobileNet();
  testing::PruneRandomly(graph, 0.9, 1);
  for (float& w : graph.mutable_value(graph.FindValue("expand.weight")).data.values()) w = 1;
  const Plan plan = SparsePlan(graph, 8, true);
  for (const StepReport& step : plan.report().steps) {
    if (step.name == "depthwise") {
      EXPECT_EQ(step.reason, "depthwise: no sparse kernel");
    } else if (step.name == "expand") {
      EXPECT_EQ(step.reason, "sparsity 0.00 below 0.30");
    } else if (step.is_layer) {
      EXPECT_NE(step.kernel.starts_with("sparse"), !step.reason.empty()) << step.name;
    }
  }
}

TEST(SparsePlan, ConstantsShrinkWithSparsity) {
  Graph graph = WideNet(3);
  testing::PruneRandomly(graph, 0.9, 17);
  const Plan dense(graph, {.batch = 16, .threads = 1, .allow_sparse = false});
  const Plan sparse = SparsePlan(graph, 16);
  EXPECT_LT(sparse.report().constant_bytes, dense.report().constant_bytes / 2);
}

}  // namespace
}  // namespace sparsify
