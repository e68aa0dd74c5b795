#include "sparsity/cli/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/base/random.h"
#include "sparsity/cli/run_folder.h"
#include "sparsity/io/model_file.h"
#include "sparsity/report/csv.h"
#include "tests/cli/cli_test_support.h"
#include "tests/support/graph_builder.h"

namespace sparsify {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kImages = 21;  // not a multiple of the batch
constexpr int kSide = 8;

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

/// Random images and labels 0 … 3 in IDX files.
void WriteIdx(const TestFolder& folder) {
  Random random(5);
  std::string images = BigEndian(0x803) + BigEndian(kImages) + BigEndian(kSide) + BigEndian(kSide);
  std::string labels = BigEndian(0x801) + BigEndian(kImages);
  for (int i = 0; i < kImages * kSide * kSide; ++i) {
    images += static_cast<char>(random.Below(256));
  }
  for (int i = 0; i < kImages; ++i) labels += static_cast<char>(random.Below(4));
  WriteFileAtomically(folder.Path("images.idx"), images);
  WriteFileAtomically(folder.Path("labels.idx"), labels);
}

void WriteModel(const TestFolder& folder) {
  testing::GraphBuilder builder("tiny");
  ValueId x = builder.Input({1, kSide, kSide});
  x = builder.Conv("conv1", x, 1, 16, 3);
  x = builder.Relu("relu1", builder.BatchNorm("norm1", x, 16));
  x = builder.Relu("relu2", builder.Conv("conv2", x, 16, 16, 3));
  x = builder.Op(OpType::kGlobalAveragePool, "pool", {x});
  x = builder.Op(OpType::kFlatten, "flat", {x});
  Checkpoint checkpoint;
  checkpoint.graph = builder.Finish({builder.Linear("fc", x, 16, 4)});
  SaveModelFile(checkpoint, folder.Path("tiny.h5"));
}

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() : files_(folder_.Path("run")) {
    WriteIdx(folder_);
    WriteModel(folder_);
  }

  /// Runs and returns what went to standard output.
  std::string Run(const std::vector<std::string>& sets = {}, RunRequest request = {}) {
    OptionsDocument document =
        OptionsDocument::FromText(fmt::format("model: {{path: {}}}\n"
                                              "data:\n"
                                              "  transform: {{color: gray}}\n"
                                              "  evaluation: {{type: idx, path: {}, labels: {}}}\n"
                                              "sparsity: {{layers: {{no_prune_layer: fc}}}}\n"
                                              "sweep: [50, 75]\n"
                                              "evaluation: {{batch: 8}}\n"
                                              "benchmark: {{batch: [2], repetitions: 3}}\n"
                                              "output: {{dir: {}}}\n",
                                              folder_.Path("tiny.h5"), folder_.Path("images.idx"),
                                              folder_.Path("labels.idx"), files_.folder()),
                                  "f.yaml");
    for (const std::string& set : sets) document.Set(set);
    ::testing::internal::CaptureStdout();
    try {
      RunPipeline(ReadRunConfig(document), document, request);
    } catch (...) {
      output_ = ::testing::internal::GetCapturedStdout();
      throw;
    }
    output_ = ::testing::internal::GetCapturedStdout();
    return output_;
  }

  static std::vector<std::string> Column(const std::string& path, const std::string& name) {
    const CsvTable table = ReadCsv(path);
    std::vector<std::string> cells;
    for (const auto& row : table.rows) cells.push_back(row[table.Column(name)]);
    return cells;
  }

  const TestFolder folder_;
  const RunFiles files_;
  std::string output_;
  const LogCapture log_;
};

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
  const std::vector<std::string> sets = {"sparsity.reconstruction={max_count: 10}"};
  EXPECT_THAT(ErrorOf([&] { Run(sets); }), HasSubstr("is not built yet"));
  EXPECT_EQ(output_, "");
  EXPECT_FALSE(fs::exists(files_.folder()));
  EXPECT_THAT(
      ErrorOf([&] { Run(sets, {.dry_run = true}); }),
      HasSubstr("--set sparsity.reconstruction={max_count: 10}: sparsity.reconstruction: "
                "repairing weights by method: adam is not built yet; method: least_squares is"));
  EXPECT_THAT(output_, HasSubstr("repair: layer-wise"));
}

TEST_F(PipelineTest, LeastSquaresRepairRunsOnTheFoldedNetwork) {
  const std::string calibration =
      fmt::format("data.calibration={{type: idx, path: {}, labels: {}}}",
                  folder_.Path("images.idx"), folder_.Path("labels.idx"));
  const std::vector<std::string> sets = {
      calibration, "sparsity.reconstruction={method: least_squares}",
      "sparsity.mask_generator={kwargs: {row_normalized: True}}"};
  EXPECT_THAT(Run(sets, {.dry_run = true}), HasSubstr("repair: least squares on 21 images of "));
  Run(sets);
  EXPECT_TRUE(log_.Contains("1 batch normalisations are folded into the layers before them"));
  EXPECT_TRUE(log_.Contains("75 %: repaired 2 of 2 masked layers in "));
  EXPECT_THAT(Column(files_.Accuracy(), "method"),
              ElementsAre("dense", "NormalMaskGenerator/Uniform/least_squares",
                          "NormalMaskGenerator/Uniform/least_squares"));
  const Checkpoint repaired = LoadModelFile(files_.Checkpoint(75));
  const ValueId weight = repaired.graph.FindValue("conv2.weight");
  EXPECT_EQ(CountZeros(repaired.graph.value(weight).data), 16 * 16 * 9 * 3 / 4);
  EXPECT_EQ(repaired.masks.at("conv2.weight").CountPruned(), 16 * 16 * 9 * 3 / 4);
  EXPECT_NE(repaired.graph.FindValue("conv1.bias"), kNoValue);
  EXPECT_THAT(repaired.history.back().action,
              HasSubstr("repaired by least squares on 21 images of "));
  const double agreement = std::stod(Column(files_.Accuracy(), "agreement")[2]);
  fs::remove_all(files_.folder());
  Run({"sparsity.mask_generator={kwargs: {row_normalized: True}}"});
  EXPECT_GE(agreement, std::stod(Column(files_.Accuracy(), "agreement")[2]));
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
