// Plans whose convolutions take their pools along, against the interpreter and against plans that
// run them one after the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sparsity/executor/plan.h"
#include "tests/executor/plan_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

using testing::AgreesWithInterpreter;
using testing::GraphBuilder;

constexpr int64_t kAllFused = 1;
constexpr int64_t kNoneFused = int64_t{1} << 40;

/// Of the first step of this layer.
StepReport StepOf(const Plan& plan, const std::string& name) {
  for (const StepReport& step : plan.report().steps) {
    if (step.name == name) return step;
  }
  ADD_FAILURE() << "no step " << name;
  return {};
}

int64_t SumOf(const Plan& plan, int64_t StepReport::*bytes) {
  int64_t sum = 0;
  for (const StepReport& step : plan.report().steps) sum += step.*bytes;
  return sum;
}

class PooledPlanCase : public ::testing::TestWithParam<std::tuple<int64_t, int, double>> {};

TEST_P(PooledPlanCase, AgreesWithTheInterpreter) {
  const auto [batch, threads, sparsity] = GetParam();
  Graph graph = testing::PooledNet();
  testing::PruneRandomly(graph, sparsity, 17);
  for (const int64_t cache_bytes : {kAllFused, int64_t{60'000}}) {
    const Plan plan(
        graph,
        {.batch = batch, .threads = threads, .tune = sparsity == 0.7, .cache_bytes = cache_bytes});
    EXPECT_TRUE(AgreesWithInterpreter(graph, plan)) << cache_bytes;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PooledPlanCase,
                         ::testing::Combine(::testing::Values(1, 3, 8, 16, 24),
                                            ::testing::Values(1, 2),
                                            ::testing::Values(0.0, 0.4, 0.7, 0.95, 1.0)));

/// A convolution and a pool behind it, of odd shapes.
Graph RandomPooledNet(uint64_t seed) {
  Random random(seed);
  const auto below = [&](int64_t end) { return static_cast<int64_t>(random.Below(end)); };
  GraphBuilder b("pooled" + std::to_string(seed), seed);
  const int64_t channels = 1 + below(20);
  const int64_t kernel = 3 + 2 * below(2);
  const ValueId x = b.Conv("c", b.Input({3, 11 + below(20), 11 + below(20)}), 3, channels, kernel,
                           1 + below(2), 1, below(2) == 0);
  const int64_t window = 2 + below(2);
  const int64_t pad = below(2);
  const std::vector<int64_t> strides = {1 + below(3), 1 + below(3)};
  const ValueId y = b.Op(OpType::kMaxPool, "p", {below(2) == 0 ? b.Relu("r", x) : x},
                         {{"kernel_shape", std::vector<int64_t>{window, window}},
                          {"strides", strides},
                          {"pads", std::vector<int64_t>{pad, pad, pad, pad}},
                          {"ceil_mode", below(2)}});
  return b.Finish({b.Conv("behind", y, channels, 9, 3)});
}

TEST(PooledPlan, RandomShapesAgreeWithTheInterpreterDenseAndSparse) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Graph graph = RandomPooledNet(seed);
    testing::PruneRandomly(graph, seed % 3 == 0 ? 0 : 0.8, seed);
    const int64_t batches[] = {1, 3, 8, 16, 24};
    const Plan plan(graph, {.batch = batches[seed % 5],
                            .threads = seed % 7 == 0 ? 2 : 1,
                            .allow_sparse = seed % 4 != 0,
                            .tune = false,
                            .cache_bytes = seed % 2 == 0 ? kAllFused : 20'000});
    ASSERT_TRUE(AgreesWithInterpreter(graph, plan)) << "seed " << seed;
  }
}

TEST(PooledPlan, RunsOneSparseKernelForBoth) {
  Graph graph = testing::PooledNet();
  testing::PruneRandomly(graph, 0.9, 17);
  const Plan plan(graph, {.batch = 16, .tune = false, .cache_bytes = kAllFused});
  for (const char* layer : {"stem", "deep"}) {
    const StepReport step = StepOf(plan, layer);
    EXPECT_TRUE(step.op.ends_with("+MaxPool")) << step.op;
    EXPECT_TRUE(step.kernel.starts_with("sparse banded ")) << step.kernel;
    EXPECT_TRUE(step.is_layer);
    EXPECT_EQ(step.reason, "");
    EXPECT_NEAR(step.sparsity, 0.9, 0.05);
  }
  const Plan apart(graph, {.batch = 16, .tune = false, .cache_bytes = kNoneFused});
  EXPECT_EQ(apart.report().fused_steps, plan.report().fused_steps + 2);
  EXPECT_LT(SumOf(plan, &StepReport::activation_bytes),
            SumOf(apart, &StepReport::activation_bytes));
}

TEST(PooledPlan, DenseWorkIsTheSameUnderOneName) {
  const Graph graph = testing::PooledNet();
  const auto plan = [&](int64_t cache_bytes) {
    return Plan(graph, {.batch = 8, .allow_sparse = false, .cache_bytes = cache_bytes});
  };
  const Plan together = plan(kAllFused);
  const Plan apart = plan(kNoneFused);
  for (const char* layer : {"stem", "deep", "fc"}) {
    EXPECT_EQ(StepOf(together, layer).kernel, StepOf(apart, layer).kernel);
    EXPECT_EQ(StepOf(together, layer).macs, StepOf(apart, layer).macs);
  }
  EXPECT_EQ(SumOf(together, &StepReport::activation_bytes),
            SumOf(apart, &StepReport::activation_bytes));
  EXPECT_EQ(together.report().constant_bytes, apart.report().constant_bytes);
  const std::vector<Tensor> inputs = testing::RandomInputs(apart.input_shapes(), 4);
  const Tensor a = testing::RunPlan(together, inputs)[0];
  const Tensor b = testing::RunPlan(apart, inputs)[0];
  EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
}

TEST(PooledPlan, MovesTheValueBetweenThroughMemoryWhenDense) {
  const Graph graph = testing::PooledNet();
  const auto bytes = [&](bool allow_sparse, int64_t cache_bytes) {
    Graph pruned = graph;
    testing::PruneRandomly(pruned, 0.9, 17);
    return Plan(pruned, {.batch = 16,
                         .allow_sparse = allow_sparse,
                         .tune = false,
                         .cache_bytes = cache_bytes})
        .report()
        .bandwidth_bytes;
  };
  // 16×24×23×21 floats behind the first convolution, written and read.
  constexpr int64_t kBetween = 2 * 16 * 24 * 23 * 21 * 4;
  EXPECT_GT(bytes(false, kAllFused), kBetween);
  EXPECT_LT(bytes(true, kAllFused), bytes(false, kAllFused) - kBetween);
}

TEST(PooledPlan, ACopyIsTheSame) {
  Graph graph = testing::PooledNet();
  testing::PruneRandomly(graph, 0.9, 17);
  const Plan plan(graph, {.batch = 8, .tune = false, .cache_bytes = kAllFused});
  const Plan copy(graph, plan);
  EXPECT_EQ(StepOf(copy, "stem").kernel, StepOf(plan, "stem").kernel);
  EXPECT_TRUE(AgreesWithInterpreter(graph, copy));
}

}  // namespace
}  // namespace sparsify
