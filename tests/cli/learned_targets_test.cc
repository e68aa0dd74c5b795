#include "sparsity/cli/learned_targets.h"

#include "tests/cli/pipeline_fixture.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LearnedTargetsTest : public ::testing::Test {
 protected:
  LearnedTargetsTest() : files_(folder_.Path("run")) {
    WriteIdx(folder_, 20, 6, 3);
    testing::GraphBuilder builder("tiny");
    ValueId x = builder.Input({1, 6, 6});
    x = builder.Relu("relu1", builder.Conv("conv1", x, 1, 8, 3));
    x = builder.Relu("relu2", builder.Conv("conv2", x, 8, 8, 3));
    x = builder.Op(OpType::kGlobalAveragePool, "pool", {x});
    x = builder.Op(OpType::kFlatten, "flat", {x});
    Checkpoint checkpoint;
    checkpoint.graph = builder.Finish({builder.Linear("fc", x, 8, 3)});
    SaveModelFile(checkpoint, folder_.Path("tiny.h5"));
  }

  std::string Run(const std::vector<std::string>& sets = {}, RunRequest request = {}) {
    OptionsDocument document =
        MakeDocument(fmt::format("model: {{path: {0}}}\n"
                                 "data:\n"
                                 "  transform: {{color: gray}}\n"
                                 "  calibration: {{type: idx, path: {1}, labels: {2}}}\n"
                                 "sparsity:\n"
                                 "  layers: {{no_prune_layer: fc}}\n"
                                 "  allocation: {{type: FCPTS, fcpts_steps: 8, fcpts_batch: 4}}\n"
                                 "sweep: [50, 75]\n"
                                 "benchmark: None\n"
                                 "output: {{dir: {3}}}\n",
                                 folder_.Path("tiny.h5"), folder_.Path("images.idx"),
                                 folder_.Path("labels.idx"), files_.folder()),
                     sets);
    ::testing::internal::CaptureStdout();
    try {
      RunPipeline(ReadRunConfig(document), document, request);
    } catch (...) {
      ::testing::internal::GetCapturedStdout();
      throw;
    }
    return ::testing::internal::GetCapturedStdout();
  }

  std::string Learned(double percent) const {
    return ReadFile(files_.LearnedSparsity(percent), 1 << 20);
  }

  const TestFolder folder_;
  const RunFiles files_;
  const LogCapture log_;
};

TEST_F(LearnedTargetsTest, LearnsEveryLevelAndKeepsWhatWasLearned) {
  EXPECT_THAT(Run(), HasSubstr("learned_sparsity_*.csv, "));
  for (const double percent : {50.0, 75.0}) {
    const std::string path = files_.LearnedSparsity(percent);
    EXPECT_THAT(Column(path, "layer"), ElementsAre("conv1", "conv2"));
    const auto cells = Column(path, "sparsity");
    EXPECT_NEAR((72 * std::stod(cells[0]) + 576 * std::stod(cells[1])) / 648, percent, 1e-8);
  }
  EXPECT_TRUE(
      log_.Contains("50 %: FCPTS: the sparsities of 2 layers learn for 8 steps of 4 images "
                    "from 18, 2 held back"));
  EXPECT_TRUE(log_.Contains("75 %: layers give "));
  EXPECT_FALSE(log_.Contains("data.calibration: not used"));
  const auto achieved = Column(files_.Layers(), "achieved");  // dense, 50, 75: conv1, conv2, fc
  EXPECT_NEAR((72 * std::stod(achieved[3]) + 576 * std::stod(achieved[4])) / 648, 50, 0.3);
  EXPECT_NEAR((72 * std::stod(achieved[6]) + 576 * std::stod(achieved[7])) / 648, 75, 0.3);
  EXPECT_EQ(achieved[8], "0.00");
}

TEST_F(LearnedTargetsTest, AResumedRunDoesNotLearnAgain) {
  Run();
  const std::string learned = Learned(75);
  const auto achieved = Column(files_.Layers(), "achieved");
  const auto interrupt = [&] {
    fs::remove(files_.Report());
    fs::remove(files_.Record(75));
  };
  interrupt();
  Run({}, {.resume = true});
  EXPECT_TRUE(log_.Contains("75 %: FCPTS: learned before"));
  EXPECT_FALSE(log_.Contains("50 %: FCPTS: learned before"));  // that level was done
  EXPECT_EQ(Column(files_.Layers(), "achieved"), achieved);
  interrupt();
  fs::remove(files_.LearnedSparsity(75));
  Run({}, {.resume = true});  // learned again, the same
  EXPECT_EQ(Learned(75), learned);
  EXPECT_EQ(Column(files_.Layers(), "achieved"), achieved);
}

TEST_F(LearnedTargetsTest, AFinishedRunThatIsReplacedLearnsAnew) {
  Run();
  const std::string learned = Learned(50);
  WriteFileAtomically(files_.LearnedSparsity(50), "layer,sparsity\nconv1,50\nconv2,50\n");
  Run();
  EXPECT_EQ(Learned(50), learned);
}

TEST_F(LearnedTargetsTest, DamagedFilesAreRefused) {
  Run();
  const auto error_with = [&](const std::string& text) {
    fs::remove(files_.Report());
    fs::remove(files_.Record(50));
    WriteFileAtomically(files_.LearnedSparsity(50), text);
    return ErrorOf([&] { Run({}, {.resume = true}); });
  };
  EXPECT_THAT(error_with("layer,sparsity\nconv1,50\n"),
              HasSubstr("learned_sparsity_50.csv: layer \"conv2\" is missing; remove the file to "
                        "learn again"));
  EXPECT_THAT(error_with("layer,sparsity\nconv1,50\nconv2,50\nfc,50\n"),
              HasSubstr("learned_sparsity_50.csv: \"fc\" is no layer that may be pruned"));
  EXPECT_THAT(error_with("layer,sparsity\nconv1,50\nconv2,40\n"),
              HasSubstr("learned_sparsity_50.csv: the layers give 41.1111 %, not 50 %; remove"));
  EXPECT_THAT(error_with("layer,sparsity\nconv1,50\nconv2,x\n"),
              HasSubstr("learned_sparsity_50.csv:3: sparsity \"x\" is no percentage in 0 … 100"));
}

TEST_F(LearnedTargetsTest, WhatWasLearnedIsATableForOtherRuns) {
  Run({"sweep=[50]"});
  const auto achieved = Column(files_.Layers(), "achieved");
  const std::string table = folder_.Path("table.csv");
  fs::rename(files_.LearnedSparsity(50), table);
  fs::remove_all(files_.folder());
  Run({"sweep=[50]", "sparsity.allocation={type: table, table_file: " + table + "}"});
  EXPECT_EQ(Column(files_.Layers(), "achieved"), achieved);
}

TEST_F(LearnedTargetsTest, TheRowNormalizedRankingIsLearnedFor) {
  Run();
  const std::string plain = Learned(75);
  fs::remove_all(files_.folder());
  Run({"sparsity.mask_generator={type: NormalMaskGenerator, kwargs: {row_normalized: True}}"});
  EXPECT_NE(Learned(75), plain);
}

TEST_F(LearnedTargetsTest, TheDryRunSaysThatItIsLearnedFirst) {
  const std::string plan = Run({}, {.dry_run = true});
  EXPECT_THAT(plan, HasSubstr("FCPTS allocation"));
  EXPECT_THAT(plan, HasSubstr("allocation  learned first at each sparsity: 8 steps of 4 images "
                              "from 20 of "));
  EXPECT_THAT(plan, HasSubstr("sparsities  50, 75 % of the pruned layers' weights; what each layer "
                              "gives is known after that"));
  EXPECT_THAT(plan, HasSubstr("layers.csv, learned_sparsity_*.csv, "));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

TEST_F(LearnedTargetsTest, MistakesNameTheirKey) {
  EXPECT_THAT(ErrorOf([&] { Run({"data.calibration=None"}); }),
              HasSubstr("data.calibration: missing; allocation by FCPTS learns on images, e.g. "
                        "--set data.calibration=\"{type: images, path: FOLDER}\""));
  EXPECT_THAT(ErrorOf([&] { Run({"sparsity.mask_generator={type: NMMaskGenerator}"}); }),
              HasSubstr("sparsity.mask_generator.type: NMMaskGenerator, but allocation by FCPTS "
                        "learns thresholds of single weights; use NormalMaskGenerator without "
                        "structured, or another allocation.type"));
  EXPECT_THAT(ErrorOf([&] {
                Run(
                    {"sparsity.mask_generator={type: NormalMaskGenerator, kwargs: {structured: "
                     "True}}"});
              }),
              HasSubstr("sparsity.mask_generator.kwargs.structured: true, but allocation by FCPTS "
                        "learns thresholds of single weights"));
  EXPECT_THAT(ErrorOf([&] { Run({"sparsity.scheduler.type=AmpereScheduler"}, {.dry_run = true}); }),
              HasSubstr("sparsity.scheduler.type: AmpereScheduler makes N:M masks, but allocation "
                        "by FCPTS learns thresholds of single weights"));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

}  // namespace
}  // namespace sparsify
