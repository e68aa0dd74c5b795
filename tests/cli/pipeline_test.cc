#include "tests/cli/pipeline_fixture.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(PipelineTest, WhatWasPrunedBeforeIsSaidOfTheDenseNetwork) {
  Run({"benchmark=None", "sweep=[75]"});
  const std::string before = Column(files_.Accuracy(), "achieved_sparsity").at(1);
  EXPECT_EQ(Column(files_.Accuracy(), "achieved_sparsity").at(0), "0.00");
  const std::string sparse = folder_.Path("sparse.h5");
  fs::copy_file(files_.Checkpoint(75), sparse);
  fs::remove_all(files_.folder());
  Run({"benchmark=None", "sweep=[80]", "model.path=" + sparse});
  EXPECT_EQ(Column(files_.Accuracy(), "achieved_sparsity").at(0), before);
}

TEST_F(PipelineTest, LeavesTablesCheckpointsAndReport) {
  const std::string output = Run();
  EXPECT_THAT(output, HasSubstr("achieved_sparsity"));
  EXPECT_THAT(output, HasSubstr("dense_time_ms"));
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", "50", "75"));
  EXPECT_THAT(Column(files_.Accuracy(), "achieved_sparsity"),
              ElementsAre("0.00", "50.00", "75.00"));
  EXPECT_THAT(Column(files_.Accuracy(), "images"), ElementsAre("21", "21", "21"));
  EXPECT_EQ(Column(files_.Accuracy(), "agreement")[0], "100.00");
  EXPECT_THAT(Column(files_.Speedup(), "sparsity"), ElementsAre("0", "50", "75"));
  EXPECT_EQ(Column(files_.Layers(), "layer").size(), 9U);
  EXPECT_THAT(
      Column(files_.Layers(), "achieved"),
      ElementsAre("0.00", "0.00", "0.00", "50.00", "50.00", "0.00", "75.00", "75.00", "0.00"));
  EXPECT_NE(Column(files_.Layers(), "skipped")[5], "");
  EXPECT_THAT(ReadFile(files_.Report(), 1 << 24), HasSubstr("<svg"));
}

TEST_F(PipelineTest, LayersHaveRatesAndStreamsHaveThroughput) {
  Run({"sweep=[75]", "benchmark={batch: [2], streams: [1, 3], repetitions: 3, plan_cache: None}"});
  EXPECT_THAT(Column(files_.Speedup(), "sparsity"), ElementsAre("0", "0", "75", "75"));
  EXPECT_THAT(Column(files_.Speedup(), "streams"), ElementsAre("1", "3", "1", "3"));
  const auto rates = Column(files_.Speedup(), "images_per_second");
  const auto times = Column(files_.Speedup(), "time_ms");
  for (size_t i = 0; i < rates.size(); ++i) {
    const double images = i % 2 == 0 ? 2 : 6;
    // The times are rounded to 0.1 us.
    EXPECT_NEAR(std::stod(rates[i]) * std::stod(times[i]) / (1e3 * images), 1, 0.01) << i;
  }
  for (const char* column : {"gflops", "peak_percent", "flop_per_byte", "speedup"}) {
    const auto cells = Column(files_.Layers(), column);
    ASSERT_EQ(cells.size(), 6U);
    for (const std::string& cell : cells) EXPECT_GT(std::stod(cell), 0) << column;
  }
  const std::string report = ReadFile(files_.Report(), 1 << 24);
  EXPECT_THAT(report, HasSubstr("Roofline, dense: batch 2, 1 thread, "));
  EXPECT_THAT(report, HasSubstr("Roofline, 75 %: batch 2, 1 thread, "));
  EXPECT_THAT(report, HasSubstr("<td>peak, "));
  EXPECT_TRUE(log_.Contains("threads 1, streams 3: "));
}

TEST_F(PipelineTest, CheckpointsHoldTheZerosTheTablesPromise) {
  Run();
  const Checkpoint checkpoint = LoadModelFile(files_.Checkpoint(75));
  EXPECT_EQ(checkpoint.masks.size(), 2U);
  const ValueId weight = checkpoint.graph.FindValue("conv2.weight");
  EXPECT_EQ(CountZeros(checkpoint.graph.value(weight).data), 16 * 16 * 9 * 3 / 4);
  EXPECT_EQ(checkpoint.masks.at("conv2.weight").CountPruned(), 16 * 16 * 9 * 3 / 4);
  EXPECT_EQ(checkpoint.requested_sparsity, 0.75);
  EXPECT_EQ(checkpoint.metrics.count("top1"), 1U);
  EXPECT_THAT(checkpoint.configuration, HasSubstr("no_prune_layer: fc"));
}

TEST_F(PipelineTest, ResumeDoesOnlyWhatIsMissing) {
  Run();
  const auto accuracy = ReadFile(files_.Accuracy(), 1 << 20);
  const auto finished = fs::last_write_time(files_.Checkpoint(50));
  fs::remove(files_.Record(75));
  fs::remove(files_.Report());
  EXPECT_THAT(ErrorOf([&] { Run(); }), HasSubstr("(1 of 2 sparsities done); continue it with"));
  Run({}, {.resume = true});
  EXPECT_TRUE(log_.Contains("50 %: done before"));
  EXPECT_FALSE(log_.Contains("75 %: done before"));
  EXPECT_EQ(fs::last_write_time(files_.Checkpoint(50)), finished);
  EXPECT_TRUE(fs::exists(files_.Report()));
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", "50", "75"));
  const auto seconds_aside = [](const std::string& path) { return Column(path, "agreement"); };
  WriteFileAtomically(folder_.Path("before.csv"), accuracy);
  EXPECT_EQ(seconds_aside(files_.Accuracy()), seconds_aside(folder_.Path("before.csv")));
}

TEST_F(PipelineTest, ResumeMayAddSparsities) {
  Run({"sweep=[50]"});
  Run({"sweep=[50, 60]"}, {.resume = true});
  EXPECT_TRUE(log_.Contains("50 %: done before"));
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", "50", "60"));
}

TEST_F(PipelineTest, TheSameConfigurationGivesTheSameMasks) {
  Run();
  const Checkpoint first = LoadModelFile(files_.Checkpoint(50));
  Run();
  EXPECT_TRUE(log_.Contains("replacing the finished run"));
  EXPECT_EQ(LoadModelFile(files_.Checkpoint(50)).masks, first.masks);
}

TEST_F(PipelineTest, DryRunWritesNothing) {
  const std::string plan = Run({}, {.dry_run = true});
  EXPECT_THAT(plan, HasSubstr("2 of 3 are pruned"));
  EXPECT_THAT(plan, HasSubstr("   75 %: 75.0 … 75.0 %"));
  EXPECT_THAT(plan, HasSubstr("evaluation  21 images of "));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

TEST_F(PipelineTest, WhatIsNotBuiltIsRefusedBeforeAnyWorkAndAfterThePlan) {
  const std::vector<std::string> sets = {"sparsity.mask_generator={type: WandaMaskGenerator}"};
  EXPECT_THAT(ErrorOf([&] { Run(sets); }), HasSubstr("is not built yet"));
  EXPECT_EQ(output_, "");
  EXPECT_FALSE(fs::exists(files_.folder()));
  EXPECT_THAT(
      ErrorOf([&] { Run(sets, {.dry_run = true}); }),
      HasSubstr("--set sparsity.mask_generator={type: WandaMaskGenerator}: "
                "sparsity.mask_generator.type: WandaMaskGenerator is not built yet: it needs "
                "activations while masks are made"));
  EXPECT_THAT(output_, HasSubstr("repair: none"));
}

TEST_F(PipelineTest, WithoutDataOrBenchmarkTheRestStillRuns) {
  Run({"data.evaluation=None", "benchmark=None"});
  EXPECT_TRUE(log_.Contains("no data.evaluation: accuracy is not measured"));
  EXPECT_FALSE(fs::exists(files_.Accuracy()));
  EXPECT_FALSE(fs::exists(files_.Speedup()));
  EXPECT_TRUE(fs::exists(files_.Checkpoint(50)));
  EXPECT_THAT(Column(files_.Layers(), "kernel"), ::testing::Each(""));
}

TEST_F(PipelineTest, MistakesNameTheirPlace) {
  EXPECT_THAT(ErrorOf([&] { Run({"sparsity.layers.no_prune_layer=conv9"}); }), HasSubstr("conv9"));
  EXPECT_THAT(ErrorOf([&] { Run({"data.evaluation.path=/no/such"}); }), HasSubstr("/no/such"));
  EXPECT_THAT(ErrorOf([&] { Run({"model.path=/no/such.h5"}); }), HasSubstr("/no/such.h5"));
  EXPECT_THAT(ErrorOf([&] { Run({"sparsity.layers.no_prune_keyword=conv"}); }),
              HasSubstr("every layer is excluded from pruning"));
}

}  // namespace
}  // namespace sparsify
