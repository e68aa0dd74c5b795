#include "sparsity/executor/layer_rate.h"

#include <gtest/gtest.h>

#include <vector>

#include "sparsity/graph/layers.h"
#include "sparsity/ops/infer_shapes.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

/// 64 output channels of 32×3×3 weights on 14×14 positions, a batch of 8.
StepReport Convolution(const std::string& kernel) {
  StepReport step;
  step.kernel = kernel;
  step.is_layer = true;
  step.sparsity = 0.75;
  step.macs = int64_t{64} * 32 * 9 * 14 * 14 * 8;
  step.time_ms = 0.5;
  step.dense_time_ms = 1.25;
  step.constant_bytes = 40'000;
  step.activation_bytes = 960'000;
  return step;
}

TEST(LayerRate, ASparseKernelExecutesTheWeightsThatAreLeft) {
  const StepReport step = Convolution("sparse 4x7 avx512");
  const double flop = 2.0 * (64 * 32 * 9 / 4) * (14 * 14) * 8;  // a quarter is left
  EXPECT_DOUBLE_EQ(ExecutedFlop(step), flop);
  EXPECT_DOUBLE_EQ(Gigaflops(step), flop / 0.5e-3 / 1e9);
  EXPECT_DOUBLE_EQ(FlopPerByte(step), flop / 1e6);
  EXPECT_DOUBLE_EQ(KernelSpeedup(step), 2.5);
}

TEST(LayerRate, ADenseKernelExecutesAllWinogradOrNot) {
  StepReport step = Convolution("onednn jit:avx512_core");
  const double flop = 2.0 * (64 * 32 * 9) * (14 * 14) * 8;
  EXPECT_DOUBLE_EQ(ExecutedFlop(step), flop);
  step.winograd = true;
  EXPECT_DOUBLE_EQ(ExecutedFlop(step), flop);
  step.kernel = "lanes 4x7 avx512";
  EXPECT_DOUBLE_EQ(Gigaflops(step), flop / 0.5e-3 / 1e9);
}

TEST(LayerRate, IsZeroWhereNothingWasTimedOrMoved) {
  StepReport step = Convolution("onednn");
  step.time_ms = 0;
  EXPECT_EQ(Gigaflops(step), 0);
  EXPECT_EQ(KernelSpeedup(step), 0);
  EXPECT_EQ(FlopPerByte(StepReport{}), 0);
}

TEST(LayerRate, BytesAreAtLeastThoseOfTheLayersTensors) {
  constexpr int64_t kBatch = 16;
  const Graph graph = testing::SmallResidualNet();
  const Plan plan(graph, {.batch = kBatch, .threads = 1, .allow_sparse = false});
  const std::vector<Layer> layers = FindLayers(graph, InferShapes(graph, 1));
  int found = 0;
  for (const StepReport& step : plan.report().steps) {
    if (!step.is_layer) continue;
    const int at = FindLayer(layers, step.name);
    ASSERT_GE(at, 0) << step.name;
    const Layer& layer = layers[static_cast<size_t>(at)];
    const int64_t floats = layer.input_shape.NumElements() + layer.output_shape.NumElements();
    EXPECT_GE(step.activation_bytes, 4 * kBatch * floats) << step.name;
    EXPECT_GE(step.constant_bytes, 4 * layer.parameters) << step.name;
    // Blocks of 16 channels and a residual at the most.
    EXPECT_LE(step.activation_bytes, 16 * 2 * 4 * kBatch * floats) << step.name;
    EXPECT_DOUBLE_EQ(ExecutedFlop(step), 2.0 * kBatch * static_cast<double>(layer.macs));
    ++found;
  }
  EXPECT_EQ(found, static_cast<int>(layers.size()));
}

}  // namespace
}  // namespace sparsify
