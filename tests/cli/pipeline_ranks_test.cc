// Runs by several ranks (threads of the test) against runs by one.
#include <algorithm>

#include "schedulers/scheduler_options.h"
#include "sparsity/cli/level_record.h"
#include "sparsity/mask/mask.h"
#include "tests/cli/pipeline_fixture.h"
#include "tests/support/compare.h"
#include "tests/support/thread_ranks.h"

namespace sparsify {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RanksPipelineTest : public PipelineTest {
 protected:
  std::vector<std::string> Training(const std::vector<std::string>& more) const {
    std::vector<std::string> sets = {
        fmt::format("data.training={{type: idx, path: {}, labels: {}}}", folder_.Path("images.idx"),
                    folder_.Path("labels.idx")),
        "benchmark=None", "training={iterations: 6, batch: 5, lr: 0.05, log_interval: 2}"};
    sets.insert(sets.end(), more.begin(), more.end());
    return sets;
  }

  /// Runs by `size` ranks into folder `name`.
  RunFiles RunBy(int size, const std::string& name, std::vector<std::string> sets,
                 bool resume = false) {
    const RunFiles files(folder_.Path(name));
    sets.push_back(fmt::format("output={{dir: {}}}", files.folder()));
    if (size == 1) {
      Run(sets, {.resume = resume});
      return files;
    }
    const OptionsDocument document = Document(sets);
    ::testing::internal::CaptureStdout();
    try {
      testing::RunRanks(size, [&](Communicator& ranks) {
        RunPipeline(ReadRunConfig(document), document, {.resume = resume, .ranks = &ranks});
      });
    } catch (...) {
      ::testing::internal::GetCapturedStdout();
      throw;
    }
    output_ = ::testing::internal::GetCapturedStdout();
    return files;
  }

  static std::vector<std::string> FilesIn(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      names.push_back(fs::relative(entry.path(), folder).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  /// Parameters and masks of a level; `tolerance` is of ‖a − b‖ / ‖b‖.
  static void ExpectNear(const RunFiles& a, const RunFiles& b, double percent, double tolerance) {
    const Checkpoint one = LoadModelFile(a.Checkpoint(percent));
    const Checkpoint other = LoadModelFile(b.Checkpoint(percent));
    EXPECT_EQ(one.masks, other.masks);
    for (const Value& value : one.graph.values()) {
      if (!value.is_parameter) continue;
      const ValueId id = other.graph.FindValue(value.name);
      EXPECT_LE(testing::RelativeError(value.data, other.graph.value(id).data), tolerance)
          << value.name;
    }
  }
};

class RanksSchedulerTest : public RanksPipelineTest,
                           public ::testing::WithParamInterface<std::string_view> {};

TEST_P(RanksSchedulerTest, IsTheRunOfOneRankToRounding) {
  std::string scheduler = fmt::format("sparsity.scheduler={{type: {}}}", GetParam());
  std::vector<double> levels = {50};
  if (GetParam() == "AmbaLevelPruneScheduler") {
    scheduler =
        "sparsity.scheduler={type: AmbaLevelPruneScheduler, kwargs: {sparsity_table: [50, 75], "
        "prun_algo: 1, no_prune_layer: fc}}";
    levels.push_back(75);
  }
  if (GetParam() == "AmpereScheduler") {
    scheduler = "sparsity.scheduler={type: AmpereScheduler, kwargs: {allow_permutation: True}}";
  }
  const auto sets = Training({scheduler, "sweep=[50]"});
  const RunFiles one = RunBy(1, "one", sets);
  const RunFiles two = RunBy(2, "two", sets);
  EXPECT_EQ(FilesIn(two.folder()), FilesIn(one.folder()));
  EXPECT_EQ(Column(two.Training(), "step"), Column(one.Training(), "step"));
  EXPECT_EQ(Column(two.Accuracy(), "achieved_sparsity"),
            Column(one.Accuracy(), "achieved_sparsity"));
  for (const double percent : levels) ExpectNear(two, one, percent, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Schedulers, RanksSchedulerTest, ::testing::ValuesIn(SchedulerTypes()),
                         [](const auto& of) { return std::string(of.param); });

TEST_F(RanksPipelineTest, FromScratchAndDistilledByThree) {
  const auto sets =
      Training({"training.from_scratch=True", "training.distillation={weight: 1}", "sweep=[50]"});
  const RunFiles one = RunBy(1, "one", sets);
  const RunFiles three = RunBy(3, "three", sets);
  ExpectNear(three, one, 0, 1e-4);
  ExpectNear(three, one, 50, 1e-4);
  EXPECT_TRUE(log_.Contains("3 ranks, each computes its part of every batch"));
  // A sparsity that is added later, by another number of ranks.
  auto more = sets;
  more.back() = "sweep=[50, 75]";
  RunBy(1, "one", more, true);
  RunBy(2, "three", more, true);
  ExpectNear(three, one, 75, 1e-4);
}

TEST_F(RanksPipelineTest, LevelsAreDealtOut) {
  const std::vector<std::string> sets = {"sweep=[30, 50, 60, 75, 80]", Calibration(),
                                         "sparsity.reconstruction={method: least_squares}"};
  const RunFiles one = RunBy(1, "one", sets);
  const RunFiles two = RunBy(2, "two", sets);
  EXPECT_THAT(output_, HasSubstr("results in "));
  EXPECT_TRUE(log_.Contains("2 ranks, the sparsities are dealt out to them"));
  EXPECT_EQ(FilesIn(two.folder()), FilesIn(one.folder()));
  for (const double percent : {30, 50, 60, 75, 80}) ExpectNear(two, one, percent, 0);
  for (const char* column : {"sparsity", "achieved_sparsity", "top1", "agreement", "loss"}) {
    EXPECT_EQ(Column(two.Accuracy(), column), Column(one.Accuracy(), column)) << column;
  }
  EXPECT_EQ(Column(two.Speedup(), "sparsity"), Column(one.Speedup(), "sparsity"));
  EXPECT_EQ(Column(two.Repair(), "error_after"), Column(one.Repair(), "error_after"));
  EXPECT_EQ(Column(two.Layers(), "layer"), Column(one.Layers(), "layer"));
  for (const RunFiles& files : {one, two}) {
    const auto phases = Column(files.Times(), "phase");
    EXPECT_EQ(std::count(phases.begin(), phases.end(), "benchmark"), 6);
    EXPECT_EQ(std::count(phases.begin(), phases.end(), "evaluate"), 6);
  }
}

TEST_F(RanksPipelineTest, WhatAnAllocationMeasuresAndLearnsIsShared) {
  const std::vector<std::string> more = {
      "sparsity.allocation={type: Sensitivity, levels: [30, 80], images: 8}",
      "sparsity.allocation={type: FCPTS, fcpts_steps: 3, fcpts_batch: 4}"};
  for (const std::string& allocation : more) {
    SCOPED_TRACE(allocation);
    const std::vector<std::string> sets = {allocation, Calibration(), "benchmark=None"};
    const std::string name = allocation.substr(28, 3);
    const RunFiles one = RunBy(1, name + "_one", sets);
    const RunFiles two = RunBy(2, name + "_two", sets);
    EXPECT_EQ(FilesIn(two.folder()), FilesIn(one.folder()));
    for (const double percent : {50, 75}) ExpectNear(two, one, percent, 0);
  }
}

TEST_F(RanksPipelineTest, ALevelThatLacksItsMeasurementAloneIsNotMadeAgain) {
  const RunFiles files = RunBy(2, "run", {});
  const auto accuracy = Column(files.Accuracy(), "loss");
  const auto written = fs::last_write_time(files.Checkpoint(75));
  // What is there when a run of several ranks is killed before the measurements.
  const auto forget = [&] {
    fs::remove(files.Report());
    for (const double percent : {0.0, 75.0}) {
      LevelRecord record = *ReadRecord(files.Record(percent), files.Checkpoint(percent));
      record.speedup.clear();
      record.layers.clear();
      WriteRecord(record, files.Unmeasured(percent));
      fs::remove(files.Record(percent));
    }
  };
  for (const int size : {1, 2}) {
    SCOPED_TRACE(size);
    forget();
    RunBy(size, "run", {}, true);
    EXPECT_EQ(fs::last_write_time(files.Checkpoint(75)), written);
    EXPECT_EQ(Column(files.Accuracy(), "loss"), accuracy);
    EXPECT_THAT(Column(files.Speedup(), "sparsity"), ElementsAre("0", "50", "75"));
    EXPECT_THAT(Column(files.Layers(), "sparsity"), Contains("75"));
    EXPECT_FALSE(fs::exists(files.Unmeasured(75)));
    EXPECT_FALSE(fs::exists(files.Unmeasured(0)));
  }
  EXPECT_TRUE(log_.Contains("75 %: made before, to be measured"));
  EXPECT_TRUE(log_.Contains("dense: made before, to be measured"));
}

TEST_F(RanksPipelineTest, WhatCannotBeSharedIsRefusedOrSaid) {
  EXPECT_THAT(ErrorOf([&] {
                RunBy(2, "run",
                      {"sweep=[]", Calibration(), "benchmark=None",
                       "sparsity.reconstruction={method: least_squares}",
                       "sparsity.progressive={sparsity_tables: [0.3, 0.5]}"});
              }),
              HasSubstr("sparsity.progressive: each sparsity goes on from the one before, of which "
                        "2 ranks can share nothing; start the run without mpirun"));
  EXPECT_FALSE(fs::exists(folder_.Path("run")));
  RunBy(3, "run", {"benchmark=None"});
  EXPECT_TRUE(log_.Contains("warning: 2 sparsities for 3 ranks; 1 have nothing to do"));
}

TEST_F(RanksPipelineTest, AMistakeThatTheFirstRankFindsEndsAll) {
  RunBy(1, "run", {"benchmark=None"});
  EXPECT_THAT(ErrorOf([&] {
                RunBy(2, "run", {"benchmark=None", "seed=9"});
              }),
              HasSubstr("holds another run: it had \"seed: 0\", now \"seed: 9\""));
}

}  // namespace
}  // namespace sparsify
