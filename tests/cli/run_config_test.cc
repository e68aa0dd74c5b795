#include "sparsity/cli/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/cli_test_support.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kHead = "model: {path: net.onnx}\n";

RunConfig Read(const std::string& text, const std::vector<std::string>& sets = {}) {
  return ReadRunConfig(MakeDocument(kHead + text, sets));
}

std::string ErrorFor(const std::string& text, const std::vector<std::string>& sets = {}) {
  return ErrorOf([&] { Read(text, sets); });
}

std::vector<double> Levels(const std::string& text) {
  const OptionsDocument document = MakeDocument(kHead + text);
  return SweepLevels(ReadRunConfig(document), document);
}

std::vector<std::string> Missing(const std::string& text) {
  const OptionsDocument document = MakeDocument(kHead + text);
  return MissingFeatures(ReadRunConfig(document), document);
}

// The four published blocks, keys and values as published.
constexpr const char* kLevelPrune = R"(sparsity:
  mask_generator:
    type: NormalMaskGenerator
  fake_sparse:
    type: FakeSparse
  scheduler:
    type: AmbaLevelPruneScheduler
    kwargs:
      total_iters: None
      sparsity_table: [30,40,50,60,70,80,90]
      no_prune_keyword: ''
      no_prune_layer: ''
      prun_algo: 1
      prun_algo_tuning: 0.5
      dw_no_prune: False
      do_sparse_analysis: False
      default_input_shape: [1,3,224,224]
      output_dir: path_to_sparse_analysis
      save_dir: path_to_sparse_ckpts
)";
constexpr const char* kAmpere = R"(sparsity:
  scheduler:
    type: AmpereScheduler
    kwargs:
      mask_calculator: m4n2_1d
      allow_recompute_mask: False
      allow_permutation: False
      verbosity: 0
)";
constexpr const char* kPostTraining = R"(sparsity:
  cali_batchsize: 16
  reconstruction:
      pattern: layer
      max_count: 20000
      keep_gpu: True
      weight_lr: 0.00001
  mask_generator:
    type: NormalMaskGenerator
    kwargs:
      sparsity: 0.5
  fake_sparse:
    type: FakeSparse
  scheduler:
    type: BaseScheduler
)";
constexpr const char* kProgressive = R"(sparsity:
  progressive: 
      sparsity_tables: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
  cali_batchsize: 16
  reconstruction:
      pattern: layer
      max_count: 10000
      keep_gpu: True
      weight_lr: 0.00001
  mask_generator:
    type: NormalMaskGenerator
  fake_sparse:
    type: FakeSparse
  scheduler:
    type: BaseScheduler
)";

TEST(PublishedBlocks, LevelPruneIsReadToTheLetter) {
  const RunConfig config = Read(kLevelPrune);
  const AmbaLevelPruneOptions& o = config.sparsity.scheduler.amba_level_prune;
  EXPECT_EQ(config.sparsity.scheduler.type, "AmbaLevelPruneScheduler");
  EXPECT_EQ(o.total_iters, std::nullopt);
  EXPECT_THAT(o.sparsity_table, ElementsAre(30, 40, 50, 60, 70, 80, 90));
  EXPECT_EQ(o.selection.no_prune_keyword, "");
  EXPECT_EQ(o.prun_algo, 1);
  EXPECT_EQ(o.prun_algo_tuning, 0.5);
  EXPECT_FALSE(o.selection.dw_no_prune);
  EXPECT_THAT(o.default_input_shape, ElementsAre(1, 3, 224, 224));
  EXPECT_EQ(o.output_dir, "path_to_sparse_analysis");
  EXPECT_EQ(o.save_dir, "path_to_sparse_ckpts");
  EXPECT_THAT(Levels(kLevelPrune), ElementsAre(30, 40, 50, 60, 70, 80, 90));
  EXPECT_THAT(Missing(kLevelPrune), SizeIs(1));
}

TEST(PublishedBlocks, AmpereIsReadToTheLetter) {
  const RunConfig config = Read(kAmpere);
  EXPECT_EQ(config.sparsity.scheduler.type, "AmpereScheduler");
  EXPECT_EQ(config.sparsity.scheduler.ampere.mask_calculator, "m4n2_1d");
  EXPECT_EQ(config.sparsity.scheduler.ampere.verbosity, 0);
  EXPECT_THAT(Levels(kAmpere), ElementsAre(50));
  EXPECT_THAT(Missing(kAmpere), SizeIs(1));
}

const std::string kCalibration = "data: {calibration: {path: c}}\n";

TEST(PublishedBlocks, PostTrainingIsReadToTheLetter) {
  const RunConfig config = Read(kCalibration + kPostTraining);
  ASSERT_TRUE(config.sparsity.reconstruction.has_value());
  EXPECT_EQ(config.sparsity.reconstruction->pattern, "layer");
  EXPECT_EQ(config.sparsity.reconstruction->max_count, 20000);
  EXPECT_TRUE(config.sparsity.reconstruction->keep_gpu);
  EXPECT_EQ(config.sparsity.reconstruction->weight_lr, 1e-5);
  EXPECT_EQ(config.sparsity.cali_batchsize, 16);
  EXPECT_EQ(config.sparsity.mask_generator.sparsity, 0.5);
  EXPECT_THAT(Levels(kCalibration + kPostTraining), ElementsAre(50));
  EXPECT_THAT(Missing(kCalibration + kPostTraining), IsEmpty());
  EXPECT_THAT(ErrorOf([] { Read(kPostTraining); }),
              HasSubstr("data.calibration: missing; reconstruction needs images"));
}

TEST(PublishedBlocks, ProgressiveIsReadToTheLetter) {
  const RunConfig config = Read(kCalibration + kProgressive);
  ASSERT_TRUE(config.sparsity.progressive.has_value());
  EXPECT_THAT(Levels(kCalibration + kProgressive), ElementsAre(10, 20, 30, 40, 50, 60));
  EXPECT_THAT(Missing(kCalibration + kProgressive), IsEmpty());
}

TEST(RunConfig, DefaultsNeedOnlyAModelAndASparsity) {
  const RunConfig config = Read("sweep: [30, 50]\n");
  EXPECT_EQ(config.sparsity.mask_generator.type, "NormalMaskGenerator");
  EXPECT_EQ(config.sparsity.allocation.type, "Uniform");
  EXPECT_TRUE(config.benchmark.has_value());
  EXPECT_FALSE(config.data.evaluation.has_value());
  EXPECT_FALSE(Read("benchmark: None\n").benchmark.has_value());
  EXPECT_THAT(Missing("sweep: [30]\n"), IsEmpty());
  EXPECT_EQ(ErrorOf([] { ReadRunConfig(MakeDocument("seed: 1\n")); }),
            "f.yaml: model.path: missing; name a trained network, .onnx or .h5");
}

TEST(RunConfig, TheSweepIsInPercent) {
  EXPECT_EQ(ErrorFor("sweep: [0.3, 0.5]\n"),
            "f.yaml:2:8: sweep: 0.3 means 0.3 percent here; this key is in percent: write 30 for "
            "30 %");
  EXPECT_EQ(ErrorFor("", {"sweep=[0.5]"}),
            "--set sweep=[0.5]: sweep: 0.5 means 0.5 percent here; this key is in percent: write "
            "50 for 50 %");
  EXPECT_THAT(ErrorFor("sweep: [30, 100]\n"),
              HasSubstr("f.yaml:2:8: sweep: 100, expected percent above 0 … below 100"));
  EXPECT_THAT(ErrorFor("sweep: [0]\n"), HasSubstr("sweep: 0 is out of range"));
  EXPECT_EQ(ErrorFor("sweep: [50, 30]\n"),
            "f.yaml:2:8: sweep: 30 after 50; sparsities must increase");
  EXPECT_THAT(ErrorFor("sweep: [50, 50]\n"), HasSubstr("must increase"));
  EXPECT_THAT(ErrorFor("sparsity: {scheduler: {type: AmbaLevelPruneScheduler, kwargs: "
                       "{sparsity_table: [0.3, 0.5]}}}\n"),
              HasSubstr("write 30 for 30 %"));
}

TEST(RunConfig, KwargsAndProgressiveAreFractions) {
  EXPECT_EQ(ErrorFor("sparsity: {mask_generator: {kwargs: {sparsity: 50}}}\n"),
            "f.yaml:2:48: sparsity.mask_generator.kwargs.sparsity: 50 is out of range, expected "
            "0 … 1; this key is a fraction: write 0.5 for 50 %");
  EXPECT_THAT(ErrorFor("sparsity: {progressive: {sparsity_tables: [10, 20]}}\n"),
              HasSubstr("this key is a fraction: write 0.1 for 10 %"));
  EXPECT_THAT(ErrorFor("sparsity: {progressive: {sparsity_tables: [0.2, 0.1]}}\n"),
              HasSubstr("0.1 after 0.2; sparsities must increase"));
}

TEST(RunConfig, FractionsBecomeRoundPercent) {
  EXPECT_THAT(Levels("sparsity: {mask_generator: {kwargs: {sparsity: 0.57}}}\n"), ElementsAre(57));
  EXPECT_THAT(Levels("sweep: [62.5]\n"), ElementsAre(62.5));
}

TEST(RunConfig, LevelsThatNoFileCanBeNamedByAreErrors) {
  const auto error = [](const std::string& text) { return ErrorOf([&] { Levels(text); }); };
  EXPECT_EQ(error("sparsity: {mask_generator: {kwargs: {sparsity: 0}}}\n"),
            "f.yaml:2:48: sparsity.mask_generator.kwargs.sparsity: 0 percent of the network, "
            "expected above 0 and below 100");
  EXPECT_THAT(error("sparsity: {mask_generator: {kwargs: {sparsity: 1}}}\n"),
              HasSubstr("kwargs.sparsity: 100 percent of the network, expected above 0"));
  EXPECT_THAT(error("sparsity: {progressive: {sparsity_tables: [0.5, 0.9999999999]}}\n"),
              HasSubstr("progressive.sparsity_tables: 100 percent"));
  EXPECT_EQ(error("sweep: [99.99999999]\n"),
            "f.yaml:2:8: sweep: 100 percent of the network, expected above 0 and below 100");
  EXPECT_EQ(error("sweep: [50.0000001, 50.0000002]\n"),
            "f.yaml:2:8: sweep: 50 percent after 50; sparsities must differ by a millionth of a "
            "percent");
  EXPECT_THAT(Levels("sweep: [50, 50.000001]\n"), ElementsAre(50, 50.000001));
}

TEST(RunConfig, LabelOffsetsThatWouldOverflowAreErrors) {
  EXPECT_EQ(ErrorFor("data: {transform: {label_offset: 9223372036854775807}}\n"),
            "f.yaml:2:34: data.transform.label_offset: 9223372036854775807 is out of range, "
            "expected -1000000000 … 1000000000");
}

TEST(RunConfig, NoSparsityAtAllIsAnError) {
  const OptionsDocument document = MakeDocument(kHead);
  EXPECT_EQ(ErrorOf([&] { SweepLevels(ReadRunConfig(document), document); }),
            "f.yaml: sweep: no sparsity given; write sweep: [50] (percent) or kwargs.sparsity (a "
            "fraction)");
}

TEST(RunConfig, UnknownTypesAndKeysNameTheNearest) {
  EXPECT_EQ(ErrorFor("sparsity:\n  scheduler:\n    type: AmpreScheduler\n"),
            "f.yaml:4:11: sparsity.scheduler.type: unknown \"AmpreScheduler\"; did you mean "
            "\"AmpereScheduler\"; known: BaseScheduler, AmbaLevelPruneScheduler, AmpereScheduler, "
            "PolynomialScheduler, RigLScheduler, ACDCScheduler, STRScheduler, ProbMaskScheduler, "
            "ADMMScheduler");
  EXPECT_THAT(ErrorFor("sparsity: {mask_genrator: {}}\n"),
              HasSubstr("f.yaml:2:12: sparsity: unknown key \"mask_genrator\"; nearest known key: "
                        "\"mask_generator\"; known keys: mask_generator, fake_sparse, scheduler"));
}

TEST(RunConfig, NonsenseInKwargsIsFoundBeforeTheRun) {
  EXPECT_THAT(
      ErrorFor("sparsity: {mask_generator: {type: NMMaskGenerator, kwargs: {n: 5, m: 4}}}\n"),
      HasSubstr("f.yaml:2:28: sparsity.mask_generator: "));
  EXPECT_THAT(ErrorFor("sparsity: {scheduler: {type: AmpereScheduler, kwargs: {mask_calculator: "
                       "m2n4_1d}}}\n"),
              HasSubstr("f.yaml:2:23: sparsity.scheduler: "));
}

TEST(RunConfig, APatternHasOneSparsity) {
  const auto error = [](const std::string& sweep, const std::string& allocation) {
    return ErrorFor("sweep: " + sweep +
                    "\nsparsity: {mask_generator: {type: NMMaskGenerator}, allocation: {type: " +
                    allocation + "}}\n");
  };
  EXPECT_THAT(error("[50]", "ERK"), HasSubstr("ERK gives every layer a sparsity of its own"));
  EXPECT_THAT(error("[30, 50]", "Uniform"), HasSubstr("gives the same network for each; give one"));
  EXPECT_THAT(error("[70]", "Sensitivity"), HasSubstr("70 percent, but 2:4 prunes at most 50"));
  EXPECT_EQ(error("[50]", "Uniform"), "no error");
  EXPECT_EQ(error("[20, 50]", "Sensitivity"), "no error");
}

TEST(RunConfig, WhatIsNotUsedIsSaid) {
  const OptionsDocument document = MakeDocument(
      "model: {path: a}\nsweep: [30]\nsparsity: {cali_batchsize: 8, mask_generator: {kwargs: "
      "{sparsity: 0.5}}}\n");
  const auto unused = UnusedSettings(ReadRunConfig(document), document);
  ASSERT_THAT(unused, SizeIs(2));
  EXPECT_EQ(unused[0],
            "f.yaml:3:67: sparsity.mask_generator.kwargs.sparsity: not used, the sweep gives the "
            "sparsities");
  EXPECT_EQ(unused[1],
            "f.yaml:3:28: sparsity.cali_batchsize: not used, there is no reconstruction");
}

TEST(RunConfig, KeysOfOtherAllocationsAreSaidToBeUnused) {
  const auto unused = [](const std::string& allocation) {
    const OptionsDocument document = MakeDocument(
        fmt::format("model: {{path: a}}\nsweep: [30]\ndata: {{evaluation: {{path: e}}}}\n"
                    "sparsity: {{allocation: {{{}}}}}\n",
                    allocation));
    return UnusedSettings(ReadRunConfig(document), document);
  };
  EXPECT_THAT(unused("type: ERK, erk_power: 0.5, tuning: 0.5"), IsEmpty());  // 0.5 is the default
  EXPECT_THAT(
      unused("type: ERK, budget: macs, table_file: t.csv, time_rounds: 2"),
      ElementsAre("f.yaml:4:62: sparsity.allocation.table_file: not used, allocation.type is not "
                  "table",
                  "f.yaml:4:44: sparsity.allocation.budget: not used, allocation.type is not "
                  "Sensitivity",
                  "f.yaml:4:82: sparsity.allocation.time_rounds: not used, allocation.budget is "
                  "neither speedup nor latency"));
  const OptionsDocument document = MakeDocument(std::string(kHead) + "evaluation: {batch: 3}\n");
  EXPECT_THAT(UnusedSettings(Read("evaluation: {batch: 3}\n"), document),
              ElementsAre("f.yaml:2:21: evaluation.batch: not used, there is no data.evaluation"));
}

TEST(RunConfig, RepairNeedsCalibrationImagesAndMasksItCanMake) {
  const std::string text =
      "model: {path: a}\nsweep: [50]\ndata: {calibration: {path: c}}\n"
      "sparsity: {reconstruction: {method: least_squares}}\n";
  const OptionsDocument document = MakeDocument(text);
  const RunConfig config = ReadRunConfig(document);
  EXPECT_TRUE(MissingFeatures(config, document).empty());
  EXPECT_TRUE(UnusedSettings(config, document).empty());
  EXPECT_EQ(ErrorOf([&] { ReadRunConfig(MakeDocument(text, {"data.calibration=None"})); }),
            "--set data.calibration=None: data.calibration: missing; reconstruction needs images, "
            "e.g. --set data.calibration=\"{type: images, path: FOLDER}\"");
  EXPECT_THAT(
      ErrorOf([&] {
        ReadRunConfig(MakeDocument(text, {"sparsity.reconstruction.method=obs",
                                          "sparsity.mask_generator={type: FPGMMaskGenerator}"}));
      }),
      HasSubstr("sparsity.reconstruction.method: obs chooses single weights, N:M groups or blocks, "
                "but FPGMMaskGenerator prunes whole filters"));
}

TEST(RunConfig, BenchmarkListsHoldEachValueOnce) {
  const auto error = [](const std::string& setting) {
    return ErrorOf([&] {
      ReadRunConfig(MakeDocument("model: {path: a}\nsweep: [50]\n", {"benchmark." + setting}));
    });
  };
  for (const std::string key : {"batch", "threads", "streams", "precision"}) {
    EXPECT_EQ(error(key + "=[]"), "--set benchmark." + key + "=[]: benchmark." + key +
                                      ": empty; give at least one, or benchmark: None");
  }
  EXPECT_THAT(error("batch=[8, 1, 8]"), HasSubstr("benchmark.batch: 8 is given twice"));
  EXPECT_EQ(error("batch=[8, 1]"), "no error");
}

TEST(RunConfig, GeneratorsThatAMethodReplacesAreSaid) {
  const OptionsDocument document = MakeDocument(
      "model: {path: a}\nsweep: [50]\ndata: {calibration: {path: c}}\n"
      "sparsity: {reconstruction: {method: obs}, mask_generator: {type: RandomMaskGenerator}}\n");
  EXPECT_THAT(UnusedSettings(ReadRunConfig(document), document),
              ::testing::Contains(HasSubstr("sparsity.mask_generator.type: not used, method: obs "
                                            "chooses the weights itself")));
}

TEST(RunConfig, KeysThatLeastSquaresDoesNotUseAreSaid) {
  const OptionsDocument document = MakeDocument(
      "model: {path: a}\nsweep: [50]\ndata: {calibration: {path: c}}\nsparsity: {cali_batchsize: "
      "8, reconstruction: {method: least_squares, max_count: 9, damping: 0.1}}\n");
  EXPECT_THAT(UnusedSettings(ReadRunConfig(document), document),
              ElementsAre("f.yaml:4:28: sparsity.cali_batchsize: not used, method: least_squares "
                          "takes every image of data.calibration",
                          "f.yaml:4:82: sparsity.reconstruction.max_count: not used, method: "
                          "least_squares has no use for it"));
}

TEST(RunConfig, WhatServesSolversIsNothingForStatistics) {
  const OptionsDocument document = MakeDocument(
      "model: {path: a}\nsweep: [50]\ndata: {calibration: {path: c}}\nsparsity: {reconstruction: "
      "{method: statistics, damping_search: True, activation_aware: True}}\n");
  EXPECT_THAT(
      UnusedSettings(ReadRunConfig(document), document),
      ElementsAre("f.yaml:4:65: sparsity.reconstruction.damping_search: not used, method: "
                  "statistics has no use for it",
                  "f.yaml:4:89: sparsity.reconstruction.activation_aware: not used, method: "
                  "statistics has no use for it"));
}

TEST(RunConfig, KeysThatAdamDoesNotUseAreSaid) {
  const OptionsDocument document = MakeDocument(
      "model: {path: a}\nsweep: [50]\ndata: {calibration: {path: c}}\n"
      "sparsity: {reconstruction: {damping: 0.1}}\n");
  EXPECT_THAT(
      UnusedSettings(ReadRunConfig(document), document),
      ElementsAre("f.yaml:4:38: sparsity.reconstruction.damping: not used, method: adam has "
                  "no use for it"));
  const OptionsDocument corrected = MakeDocument(
      "model: {path: a}\nsweep: [50]\ndata: {calibration: {path: c}}\n"
      "sparsity: {reconstruction: {damping: 0.1, statistics_correction: True}}\n");
  EXPECT_THAT(UnusedSettings(ReadRunConfig(corrected), corrected), IsEmpty());
}

TEST(RunConfig, GeneratorsThatAreNotBuiltAreNamed) {
  const auto missing = Missing("sparsity: {mask_generator: {type: WandaMaskGenerator}}\n");
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_THAT(missing[0], HasSubstr("f.yaml:2:35: sparsity.mask_generator.type: "
                                    "WandaMaskGenerator is not built yet"));
}

TEST(RunConfig, ResolvedConfigurationReadsBack) {
  const RunConfig config = Read(kCalibration + kProgressive);
  const std::string text = ResolvedConfig(config);
  const RunConfig again = ReadRunConfig(OptionsDocument::FromText(text, "resolved.yaml"));
  EXPECT_EQ(ResolvedConfig(again), text);
  EXPECT_THAT(text, HasSubstr("sparsity_tables: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\n"));
}

TEST(MissingFeatures, OtherPrecisionsAreNotBuilt) {
  EXPECT_THAT(Missing("benchmark: {precision: [f32]}\n"), IsEmpty());
  const auto missing = Missing("benchmark: {precision: [f32, int8]}\n");
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_THAT(missing[0], HasSubstr("benchmark.precision: int8 is not built yet; time f32"));
}

}  // namespace
}  // namespace sparsify
