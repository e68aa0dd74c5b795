#include "sparsity/cli/measure_level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/log.h"
#include "tests/cli/cli_test_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;

PreparedRun SampleRun() {
  PreparedRun run;
  run.network = "net";
  Layer layer;
  layer.name = "conv1";
  layer.weight_shape = {4, 2, 1, 1};
  layer.parameters = 8;
  layer.macs = 80;
  run.layers = {layer};
  run.skipped = {""};
  return run;
}

SpeedRow Speed() {
  SpeedRow row;
  row.batch = 8;
  row.threads = 1;
  row.precision = "f32";
  row.isa = "avx2";
  row.sparsity = 50;
  row.dense = {3, 4};
  row.direct = {5, 6};
  row.sparse = {1.5, 2};
  row.speedup = 2;
  row.speedup_min = 2;
  row.speedup_direct = 3;
  row.plan.fused_steps = 5;
  row.plan.constant_bytes = 1'000'000;
  row.plan.arena_bytes = 500'000;
  row.plan.bandwidth_bytes = 2'000'000;
  StepReport sparse;
  sparse.name = "conv1";
  sparse.kernel = "sparse 4x7";
  sparse.is_layer = true;
  sparse.dense_time_ms = 1;
  sparse.time_ms = 0.5;
  sparse.sparsity = 0.5;
  sparse.macs = 4'000'000;
  sparse.constant_bytes = 100'000;
  sparse.activation_bytes = 400'000;
  StepReport dense;
  dense.name = "conv2";
  dense.is_layer = true;
  dense.reason = "dense is faster";
  row.plan.steps = {sparse, dense};
  row.peak = {Isa::kAvx2, 1, 64.04, 10.25};
  return row;
}

TEST(SpeedupCells, FollowTheColumns) {
  EXPECT_THAT(
      SpeedupCells(SampleRun(), {Speed()}),
      ElementsAre("net", "8", "1", "f32", "avx2", "50", "5", "2.0000", "2.000", "1.000", "0.500",
                  "2.000", "4.0000", "1.5000", "3.0000", "2.000", "0.00e+00", "0.0", "6.0000",
                  "3.000", "conv2", "64.0", "10.2", "1", "4000.00", "2000.00"));
}

TEST(LayerCells, JoinSparsityAndKernel) {
  EXPECT_THAT(LayerCells(SampleRun(), 50, {{"conv1", 0.5, 0.505, ""}}, {Speed()}),
              ElementsAre("50", "conv1", "[4,2,1,1]", "80", "8", "50.00", "50.50", "", "sparse 4x7",
                          "1.0000", "0.5000", "", "2.000", "8.00", "12.49", "8.000"));
  EXPECT_THAT(LayerCells(SampleRun(), 50, {{"conv1", 0, 0, "keyword"}}, {}),
              ElementsAre("50", "conv1", "[4,2,1,1]", "80", "8", "0.00", "0.00", "keyword", "", "",
                          "", "", "", "", "", ""));
}

TEST(LayerCells, AnUntimedLayerHasNoRate) {
  SpeedRow row = Speed();
  row.plan.steps[0].time_ms = 0;
  const auto cells = LayerCells(SampleRun(), 50, {{"conv1", 0.5, 0.505, ""}}, {row});
  ASSERT_EQ(cells.size(), LayerColumns().size());
  EXPECT_THAT(std::vector<std::string>(cells.end() - 4, cells.end()), ElementsAre("", "", "", ""));
}

TEST(AccuracyRow, TheFirstIsCalledDense) {
  Evaluation evaluation;
  evaluation.top1 = 91.256;
  evaluation.top5 = 99;
  evaluation.loss = 0.25;
  evaluation.images = 100;
  evaluation.seconds = 1.5;
  EXPECT_THAT(AccuracyRow(SampleRun(), 0, 0, evaluation),
              ElementsAre("net", "dense", "0", "0.00", "91.26", "99.00", "100.00", "0.2500", "100",
                          "1.50"));
  EXPECT_EQ(AccuracyRow(SampleRun(), 30, 0.3, evaluation)[1], "NormalMaskGenerator/Uniform");
}

TEST(WarnOfCollapse, SpeaksWhereHalfIsGone) {
  const LogCapture log;
  WarnOfCollapse(50, 94, 80, 10, false);
  WarnOfCollapse(50, 12, 10, 10, false);  // was guessing before
  WarnOfCollapse(50, 68, 35, 1000, false);
  EXPECT_TRUE(log.lines().empty());
  WarnOfCollapse(90, 94, 11, 10, false);
  EXPECT_TRUE(
      log.Contains("warning: accuracy has collapsed at 90 %: top-1 11.00 % (dense 94.00 %, "
                   "guessing 10.00 %); prune less, or repair the weights"));
  WarnOfCollapse(30, 68, 18, 1000, true);
  EXPECT_TRUE(
      log.Contains("accuracy has collapsed at 30 %: top-1 18.00 % (dense 68.00 %, guessing "
                   "0.10 %); prune less, or repair with more images"));
}

}  // namespace
}  // namespace sparsify
