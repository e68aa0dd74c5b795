// Runs whose sweep is speed-ups or milliseconds, on a table of times that the test has made up.
#include "sparsity/cli/timed_targets.h"

#include "sparsity/base/processor.h"
#include "sparsity/cli/run_times.h"
#include "sparsity/executor/isa.h"
#include "tests/cli/pipeline_fixture.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TimedTargets : public PipelineTest {
 protected:
  /// Two layers of 1 and 3 ms that take a tenth of that at 90 %.
  std::string TimesFile(const std::string& processor = ProcessorName()) {
    LayerTimes times;
    times.setting = {2, 1, std::string(IsaName(DetectIsa())), processor, true};
    for (const double level : {0.0, 0.3, 0.6, 0.9}) {
      times.levels.push_back({level,
                              0,
                              {{"conv1", 144, 9216, level, 1 - level, "k"},
                               {"conv2", 2304, 147456, level, 3 * (1 - level), "k"}}});
    }
    const std::string path = folder_.Path("times.csv");
    WriteLayerTimes(times, path);
    return path;
  }

  /// One round and a tolerance that everything is within: what this machine really takes does not
  /// matter.
  std::vector<std::string> Sets(const std::string& sweep) {
    return {"sweep=" + sweep,
            "sparsity.allocation={type: Sensitivity, budget: speedup, loss: energy, "
            "time_rounds: 1, time_tolerance: 1, times_file: " +
                TimesFile() + "}"};
  }

  std::string RunError(const std::vector<std::string>& sets, RunRequest request = {}) {
    return ErrorOf([&] { Run(sets, request); });
  }
};

TEST_F(TimedTargets, LevelsAreTheSparsitiesThatTheTargetsComeTo) {
  const std::string output = Run(Sets("[1.5, 2]"));
  EXPECT_THAT(Column(files_.Targets(), "target"), ElementsAre("1.5", "2"));
  EXPECT_THAT(Column(files_.Targets(), "unit"), ElementsAre("speedup", "speedup"));
  // Met exactly but for the grid of sparsities.
  EXPECT_NEAR(std::stod(Column(files_.Targets(), "predicted_speedup")[0]), 1.515, 0.015);
  EXPECT_THAT(Column(files_.Targets(), "rounds"), ElementsAre("1", "1"));
  const std::vector<std::string> percent = Column(files_.Targets(), "sparsity");
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", percent[0], percent[1]));
  EXPECT_THAT(Column(files_.Speedup(), "sparsity"), ElementsAre("0", percent[0], percent[1]));
  EXPECT_LT(std::stod(percent[0]), std::stod(percent[1]));
  EXPECT_THAT(output, HasSubstr("targets.csv"));
  EXPECT_TRUE(log_.Contains("speed-up 1.5: " + percent[0] + " % sparsity"));
  EXPECT_TRUE(log_.Contains("speed-up 2: the finished network takes "));
  EXPECT_THAT(ReadFile(files_.Report(), 10'000'000), HasSubstr("targets.csv"));
  const double level = std::stod(percent[1]);
  EXPECT_NEAR(Weight(level, "conv2.weight").second.Sparsity(),
              std::stod(Column(files_.TargetSparsity(2), "sparsity")[1]) / 100, 1e-3);
}

TEST_F(TimedTargets, MillisecondsAreTargetsToo) {
  auto sets = Sets("[1000000]");
  sets.push_back("sparsity.allocation.budget=latency");
  EXPECT_THAT(RunError(sets),
              HasSubstr("1000000 ms needs nothing pruned: the dense network takes"));
  sets[0] = "sweep=[0.000001]";
  EXPECT_THAT(RunError(sets, {.resume = true}),
              HasSubstr("1e-06 ms cannot be reached: the best measured is "));
}

TEST_F(TimedTargets, AResumedRunKeepsWhatIsSettled) {
  Run(Sets("[1.5, 2]"));
  const std::string before = ReadFile(files_.Targets(), 100'000);
  const double level = std::stod(Column(files_.Targets(), "sparsity")[1]);
  fs::remove(files_.Record(level));
  Run(Sets("[1.5, 2]"), {.resume = true});
  EXPECT_EQ(ReadFile(files_.Targets(), 100'000), before);
  EXPECT_TRUE(log_.Contains("speed-up 2: settled before"));
  EXPECT_TRUE(fs::exists(files_.Record(level)));

  // More of them; the old ones stay.
  const std::string plan = Run(Sets("[1.5, 1.8, 2]"), {.resume = true, .dry_run = true});
  EXPECT_THAT(plan, HasSubstr("resumed, 2 of 3 sparsities done"));
  Run(Sets("[1.5, 1.8, 2]"), {.resume = true});
  EXPECT_THAT(Column(files_.Targets(), "target"), ElementsAre("1.5", "2", "1.8"));
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ::testing::SizeIs(4));
}

TEST_F(TimedTargets, AReplacedRunForgetsThem) {
  Run(Sets("[1.5, 2]"));
  Run(Sets("[1.8]"));
  EXPECT_THAT(Column(files_.Targets(), "target"), ElementsAre("1.8"));
  EXPECT_FALSE(fs::exists(files_.TargetSparsity(2)));
}

TEST_F(TimedTargets, TargetsThatComeToTheSameAreOneLevel) {
  auto sets = Sets("[1.5, 1.6]");
  sets.push_back("sparsity.allocation.max_layer_sparsity=0.3");  // 1.43 at most
  Run(sets);
  EXPECT_THAT(Column(files_.Targets(), "sparsity"), ElementsAre("30", "30"));
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ::testing::SizeIs(2));
  EXPECT_TRUE(log_.Contains(" % sparsity as speed-up 1.5; the level is done once"));
}

TEST_F(TimedTargets, TimesAreMeasuredOnceAndAnewWhereTheyDoNotFit) {
  // Out of reach, so that only the times are left behind.
  const std::vector<std::string> sets = {"sweep=[50]",
                                         "sparsity.allocation={type: Sensitivity, budget: speedup, "
                                         "loss: energy, time_levels: [50, 90]}"};
  EXPECT_THAT(RunError(sets),
              HasSubstr("allocation: speed-up 50 cannot be reached: the best measured is "));
  EXPECT_TRUE(log_.Contains("layer times: 50 %: "));
  const LayerTimes times = ReadLayerTimes(files_.LayerTimes());
  ASSERT_EQ(times.levels.size(), 3U);
  EXPECT_EQ(times.setting.batch, 2);
  EXPECT_EQ(times.levels[2].layers[1].layer, "conv2");
  EXPECT_NEAR(times.levels[2].layers[1].sparsity, 0.9, 1e-3);
  EXPECT_GT(times.levels[0].layers[1].ms, 0);
  const std::string before = ReadFile(files_.LayerTimes(), 100'000);

  RunError(sets, {.resume = true});
  EXPECT_EQ(ReadFile(files_.LayerTimes(), 100'000), before);
  EXPECT_TRUE(log_.Contains("layer times: 3 of 3 levels were measured before"));

  LayerTimes part = times;
  part.levels.pop_back();
  WriteLayerTimes(part, files_.LayerTimes());
  RunError(sets, {.resume = true});
  EXPECT_TRUE(log_.Contains("layer times: 2 of 3 levels were measured before"));
  EXPECT_EQ(ReadLayerTimes(files_.LayerTimes()).levels.size(), 3U);

  LayerTimes other = times;
  other.setting.processor = "another";
  WriteLayerTimes(other, files_.LayerTimes());
  RunError(sets, {.resume = true});
  EXPECT_TRUE(log_.Contains("layer_times.csv: measured on another ("));
  EXPECT_TRUE(log_.Contains("); measured again"));
  EXPECT_EQ(ReadLayerTimes(files_.LayerTimes()).setting, times.setting);
}

TEST_F(TimedTargets, ATimesFileMustBeOfThisNetworkAndSetting) {
  auto sets = Sets("[1.5]");
  sets.push_back("benchmark.batch=[3]");
  EXPECT_THAT(RunError(sets), HasSubstr("times.csv: measured with batch 2 and 1 threads, this run "
                                        "has 3 and 1; measure this network in this run's setting"));
  sets = Sets("[1.5]");
  sets.push_back("sparsity.layers.no_prune_layer=''");
  EXPECT_THAT(RunError(sets), HasSubstr("holds another run"));
  fs::remove_all(files_.folder());
  EXPECT_THAT(RunError(sets), HasSubstr("times.csv: layer \"fc\" is missing, or another"));
  fs::remove_all(files_.folder());
  sets = Sets("[1.5]");
  TimesFile("another");
  Run(sets);
  EXPECT_TRUE(log_.Contains("times.csv: measured on another ("));
}

TEST_F(TimedTargets, ADryRunSaysWhatWillBeMeasured) {
  const std::string plan = Run(
      {"sweep=[1.5, 2]", "sparsity.allocation={type: Sensitivity, budget: speedup, loss: energy}"},
      {.dry_run = true});
  EXPECT_THAT(plan, HasSubstr("sensitivity the share of each layer's energy that goes at 20, 30"));
  EXPECT_THAT(plan,
              HasSubstr("times       measured first: the whole network with every layer at 0, "
                        "30, 40, 50, 60, 70, 80, 90, 95 %; batch 2, 1 threads\n"
                        "targets     speed-up over dense 1.5, 2; timed and corrected until "
                        "within 3 %, 5 rounds at most"));
  EXPECT_THAT(plan, HasSubstr("layer_times.csv, targets.csv"));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

TEST_F(TimedTargets, EnergyAloneNeedsNoImages) {
  Run({"sparsity.allocation={type: Sensitivity, budget: macs, loss: energy}"});
  EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", "50", "75"));
  EXPECT_TRUE(log_.Contains("stands for the loss (loss: energy)"));
  EXPECT_TRUE(fs::exists(files_.Sensitivity()));
}

TEST(NoteGoal, WarnsOfATargetThatTheFinishedNetworkMisses) {
  PreparedRun run;
  run.allocation.type = "Sensitivity";
  run.allocation.budget = "speedup";
  run.goals = {1.5, 2};
  SpeedRow row;
  row.dense = {30, 31};
  row.sparse = {15, 16};
  const LogCapture log;
  NoteGoal(run, 1, {row});
  EXPECT_EQ(log.lines().back(), "speed-up 2: the finished network takes 15 ms, speed-up 2.000");
  row.sparse = {20, 21};
  NoteGoal(run, 1, {row});
  EXPECT_EQ(
      log.lines().back(),
      "warning: speed-up 2: the finished network takes 20 ms, speed-up 1.500: 33.3 % too long");
  row.sparse = {20, 60};
  NoteGoal(run, 1, {row});
  EXPECT_EQ(log.lines().back(),
            "speed-up 2: the finished network takes 20 ms, speed-up 1.500 (disturbed by other "
            "programs; targets.csv has the time before repair)");
  run.allocation.budget = "latency";
  run.goals = {10};
  row.sparse = {20, 21};
  NoteGoal(run, 0, {row});
  EXPECT_EQ(log.lines().back(),
            "warning: 10 ms: the finished network takes 20 ms, speed-up 1.500: 100.0 % too long");
  NoteGoal(run, 0, {});
  EXPECT_EQ(log.lines().size(), 4U);
}

std::string ConfigError(const std::vector<std::string>& sets) {
  return ErrorOf([&] {
    ReadRunConfig(
        MakeDocument("model: {path: m.onnx}\nsweep: [1.5, 2]\n"
                     "sparsity: {allocation: {type: Sensitivity, budget: speedup}}\n",
                     sets));
  });
}

TEST(TimeBudgetConfig, ConflictsAreNamed) {
  EXPECT_EQ(ConfigError({}), "no error");
  EXPECT_EQ(ConfigError({"sparsity.allocation.type=ERK"}),
            "--set sparsity.allocation.type=ERK: sparsity.allocation.type: allocation.budget is "
            "speedup: only type: Sensitivity allocates by it");
  EXPECT_EQ(ConfigError({"sweep=[1, 2]"}),
            "--set sweep=[1, 2]: sweep: 1 is no speed-up; with budget: speedup give e.g. [1.5, 2]");
  EXPECT_THAT(ConfigError({"sweep=[2, 1.5]"}), HasSubstr("1.5 after 2; speed-ups must increase"));
  EXPECT_THAT(ConfigError({"sweep=[]"}),
              HasSubstr("the sweep gives the speed-ups or milliseconds"));
  EXPECT_THAT(ConfigError({"benchmark=None"}),
              HasSubstr("benchmark: allocation.budget is speedup: "
                        "its batch and threads are what is timed"));
  EXPECT_THAT(ConfigError({"training={epochs: 1}"}), HasSubstr("table_file: target_sparsity_"));
  EXPECT_THAT(ConfigError({"sparsity.progressive={}"}),
              HasSubstr("progressive stages are sparsities"));
  EXPECT_THAT(ConfigError({"sparsity.scheduler.type=AmbaLevelPruneScheduler"}),
              HasSubstr("AmbaLevelPruneScheduler allocates by itself"));
  EXPECT_THAT(ConfigError({"sparsity.allocation.budget=latency"}),
              HasSubstr("2 after 1.5; milliseconds must decrease"));
  EXPECT_EQ(ConfigError({"sparsity.allocation.budget=latency", "sweep=[250, 120.5]"}), "no error");
  EXPECT_THAT(ConfigError({"sparsity.allocation.budget=size", "sweep=[50, 120]"}),
              HasSubstr("120, expected percent above 0 … below 100"));
}

}  // namespace
}  // namespace sparsify
