#include <algorithm>
#include <cmath>

#include "sparsity/cli/partial_level.h"
#include "sparsity/mask/mask.h"
#include "tests/cli/pipeline_fixture.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(PipelineTest, LeastSquaresRepairRunsOnTheFoldedNetwork) {
  const std::vector<std::string> sets = {
      Calibration(), "sparsity.reconstruction={method: least_squares}",
      "sparsity.mask_generator={kwargs: {row_normalized: True}}"};
  EXPECT_THAT(Run(sets, {.dry_run = true}), HasSubstr("repair: least_squares on 21 images of "));
  Run(sets);
  EXPECT_TRUE(log_.Contains("1 batch normalisations are folded into the layers before them"));
  EXPECT_TRUE(log_.Contains("75 %: repaired 2 of 2 units in "));
  EXPECT_THAT(Column(files_.Accuracy(), "method"),
              ElementsAre("dense", "NormalMaskGenerator/Uniform/least_squares",
                          "NormalMaskGenerator/Uniform/least_squares"));
  const Checkpoint repaired = LoadModelFile(files_.Checkpoint(75));
  const ValueId weight = repaired.graph.FindValue("conv2.weight");
  EXPECT_EQ(CountZeros(repaired.graph.value(weight).data), 16 * 16 * 9 * 3 / 4);
  EXPECT_EQ(repaired.masks.at("conv2.weight").CountPruned(), 16 * 16 * 9 * 3 / 4);
  EXPECT_NE(repaired.graph.FindValue("conv1.bias"), kNoValue);
  EXPECT_THAT(repaired.history.back().action,
              HasSubstr("repaired by least_squares on 21 images of "));
  const double agreement = std::stod(Column(files_.Accuracy(), "agreement")[2]);
  fs::remove_all(files_.folder());
  Run({"sparsity.mask_generator={kwargs: {row_normalized: True}}"});
  EXPECT_GE(agreement, std::stod(Column(files_.Accuracy(), "agreement")[2]));
}

TEST_F(PipelineTest, EveryMethodRunsAndLeavesItsTables) {
  for (const char* method :
       {"adam, max_count: 5", "least_squares", "obs", "admm", "sparse_gpt", "wanda", "statistics",
        "obs, damping_search: True, activation_aware: True",
        "least_squares, polish: {max_count: 3, batch: 4}"}) {
    SCOPED_TRACE(method);
    fs::remove_all(files_.folder());
    Run({Calibration(), fmt::format("sparsity.reconstruction={{method: {}}}", method),
         "benchmark=None", "sweep=[75]"});
    EXPECT_EQ(Weight(75, "conv2.weight").second.CountPruned(), 16 * 16 * 9 * 3 / 4);
    EXPECT_EQ(CountZeros(Weight(75, "conv2.weight").first), 16 * 16 * 9 * 3 / 4);
    EXPECT_THAT(Column(files_.Repair(), "unit"), ::testing::Contains(HasSubstr("conv2")));
    EXPECT_THAT(Column(files_.Times(), "phase"), ::testing::Contains(HasSubstr("repair: ")));
    EXPECT_THAT(ReadFile(files_.Report(), 1 << 24), HasSubstr("Error of each unit after repair"));
    EXPECT_FALSE(fs::exists(files_.Partial(75)));
  }
}

TEST_F(PipelineTest, StatisticsAreCorrectedBehindTheOptimiser) {
  Run({Calibration(), "sparsity.reconstruction={max_count: 2, statistics_correction: True}",
       "benchmark=None", "sweep=[75]"});
  const auto units = Column(files_.Repair(), "unit");
  const auto at = std::find(units.begin(), units.end(), "conv2 statistics");
  ASSERT_NE(at, units.end());
  const auto row = static_cast<size_t>(at - units.begin());
  EXPECT_EQ(Column(files_.Repair(), "steps").at(row), "0");
  EXPECT_EQ(Column(files_.Repair(), "unrepaired").at(row), "");
  EXPECT_EQ(CountZeros(Weight(75, "conv2.weight").first), 16 * 16 * 9 * 3 / 4);
  const Tensor corrected = Weight(75, "conv2.weight").first;
  fs::remove_all(files_.folder());
  Run({Calibration(), "sparsity.reconstruction={max_count: 2}", "benchmark=None", "sweep=[75]"});
  // A factor for each row of what the optimiser has left.
  const Tensor before = Weight(75, "conv2.weight").first;
  const int64_t columns = before.size() / before.shape()[0];
  for (int64_t row_at = 0; row_at < before.shape()[0]; ++row_at) {
    double factor = 0;
    for (int64_t i = row_at * columns; i < (row_at + 1) * columns; ++i) {
      if (before[i] == 0) continue;
      const double here = corrected[i] / before[i];
      if (factor == 0) factor = here;
      ASSERT_NEAR(here, factor, 1e-4 * std::abs(factor));
    }
    EXPECT_GE(factor, 0.25 - 1e-6);
    EXPECT_LE(factor, 4 + 1e-6);
  }
}

TEST_F(PipelineTest, ProgressiveStagesStartFromTheOneBefore) {
  for (const char* teacher : {"dense", "previous"}) {
    fs::remove_all(files_.folder());
    const std::vector<std::string> sets = {
        Calibration(), "sparsity.reconstruction={method: least_squares}", "benchmark=None",
        "sweep=[]",
        fmt::format("sparsity.progressive={{sparsity_tables: [0.25, 0.5, 0.75], "
                    "teacher: {}}}",
                    teacher)};
    Run(sets);
    EXPECT_THAT(Column(files_.Accuracy(), "sparsity"), ElementsAre("0", "25", "50", "75"));
    const auto [weight, mask] = Weight(75, "conv2.weight");
    const Mask before = Weight(50, "conv2.weight").second;
    for (int64_t i = 0; i < mask.size(); ++i) {
      ASSERT_TRUE(before[i] || !mask[i]) << "weight " << i << " came back";
    }
    // A run that lost its last stage makes it again from the file of the one before.
    fs::remove(files_.Record(75));
    fs::remove(files_.Report());
    Run(sets, {.resume = true});
    const auto [again, same] = Weight(75, "conv2.weight");
    EXPECT_EQ(same, mask);
    for (int64_t i = 0; i < weight.size(); ++i) ASSERT_EQ(again[i], weight[i]);
  }
}

TEST_F(PipelineTest, ARepairGoesOnWithinALevel) {
  const std::vector<std::string> sets = {Calibration(), "benchmark=None", "sweep=[75]",
                                         "sparsity.reconstruction={method: least_squares}"};
  Run(sets);
  const auto [weight, mask] = Weight(75, "conv2.weight");
  // The state behind the first layer, as an interrupted run leaves it.
  Checkpoint partial = LoadModelFile(files_.Checkpoint(75));
  const Checkpoint dense = LoadModelFile(folder_.Path("tiny.h5"));
  Tensor& second = partial.graph.mutable_value(partial.graph.FindValue("conv2.weight")).data;
  second = dense.graph.value(dense.graph.FindValue("conv2.weight")).data;
  ApplyMask(mask, second);
  const auto units = Column(files_.Repair(), "unit");
  fs::remove(files_.Record(75));
  fs::remove(files_.Report());
  PartialLevel(files_.Partial(75))
      .Save(partial, {1, {{"conv1", 0.5, 0.25, 0, 64, 1, "of an earlier run", ""}}}, true);
  Run(sets, {.resume = true});
  EXPECT_TRUE(log_.Contains("75 %: goes on behind unit 1 of an earlier run"));
  const Tensor again = Weight(75, "conv2.weight").first;
  for (int64_t i = 0; i < weight.size(); ++i) ASSERT_NEAR(again[i], weight[i], 1e-6);
  EXPECT_FALSE(fs::exists(files_.Partial(75)));
  EXPECT_EQ(Column(files_.Repair(), "unit"), units);
  EXPECT_EQ(Column(files_.Repair(), "remark").at(0), "of an earlier run");
}

TEST_F(PipelineTest, AFinishedRepairIsOnlyPolishedOnResuming) {
  const std::vector<std::string> sets = {
      Calibration(), "benchmark=None", "sweep=[75]",
      "sparsity.reconstruction={method: statistics, polish: {max_count: 3, batch: 4}}"};
  Run(sets);
  const auto units = Column(files_.Repair(), "unit");
  ASSERT_EQ(units.back(), "polish");
  PartialState state = {1, {}, true};
  for (const std::string& unit : units) {
    if (unit != "polish") state.units.push_back({unit, 0.5, 0.25, 0, 64, 1, "kept", ""});
  }
  fs::remove(files_.Record(75));
  fs::remove(files_.Report());
  PartialLevel(files_.Partial(75)).Save(LoadModelFile(files_.Checkpoint(75)), state, true);
  Run(sets, {.resume = true});
  EXPECT_EQ(Column(files_.Repair(), "unit"), units);
  EXPECT_EQ(Column(files_.Repair(), "remark").at(0), "kept");
  EXPECT_FALSE(log_.Contains("goes on behind unit"));
}

class SensitivityPipelineTest : public PipelineTest {
 protected:
  std::vector<std::string> Sets(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> sets = {
        fmt::format("data.calibration={{type: idx, path: {}, labels: {}}}",
                    folder_.Path("images.idx"), folder_.Path("labels.idx")),
        "sparsity.reconstruction={method: least_squares}", "benchmark=None",
        "sparsity.allocation={type: Sensitivity, levels: [30, 60, 90], images: 16}"};
    sets.insert(sets.end(), more.begin(), more.end());
    return sets;
  }

  /// What goes at this sparsity, over the two layers that are pruned.
  double Overall(size_t level) const {
    const auto achieved = Column(files_.Layers(), "achieved");
    const auto parameters = Column(files_.Layers(), "parameters");
    double gone = 0;
    double all = 0;
    for (size_t i = 3 * level; i < 3 * level + 2; ++i) {
      gone += std::stod(achieved[i]) * std::stod(parameters[i]);
      all += std::stod(parameters[i]);
    }
    return gone / all;
  }
};

TEST_F(SensitivityPipelineTest, MeasuresOnceAndAllocatesEveryLevel) {
  const std::string output = Run(Sets());
  EXPECT_THAT(output, HasSubstr("sensitivity.csv, "));
  EXPECT_THAT(Column(files_.Sensitivity(), "layer"),
              ElementsAre("conv1", "conv1", "conv1", "conv2", "conv2", "conv2"));
  EXPECT_NEAR(Overall(1), 50, 0.1);
  EXPECT_NEAR(Overall(2), 75, 0.1);
  EXPECT_TRUE(
      log_.Contains("sensitivity: 2 layers, each alone at 30, 60, 90 %, by "
                    "NormalMaskGenerator; KL divergence on 21 images"));
  EXPECT_TRUE(log_.Contains("75 %: layers give "));
  EXPECT_THAT(Column(files_.Accuracy(), "method")[1],
              HasSubstr("NormalMaskGenerator/Sensitivity/least_squares"));
  const std::string report = ReadFile(files_.Report(), 1 << 24);
  EXPECT_THAT(report, HasSubstr("Loss with one layer pruned, layers 1 to 2"));
  EXPECT_THAT(report, HasSubstr("<th class=\"number\">90 %</th>"));
}

TEST_F(SensitivityPipelineTest, AResumedRunMeasuresOnlyWhatIsMissing) {
  Run(Sets());
  const std::string curves = ReadFile(files_.Sensitivity(), 1 << 20);
  const auto layers = Column(files_.Layers(), "achieved");
  fs::remove(files_.Report());
  for (const double level : {50.0, 75.0}) fs::remove(files_.Record(level));
  WriteFileAtomically(files_.Sensitivity(), curves.substr(0, curves.find("conv2")));
  Run(Sets(), {.resume = true});
  EXPECT_TRUE(log_.Contains("sensitivity: 1 layers were measured before"));
  EXPECT_EQ(ReadFile(files_.Sensitivity(), 1 << 20), curves);
  EXPECT_EQ(Column(files_.Layers(), "achieved"), layers);
  Run(Sets(), {.resume = true});
  EXPECT_TRUE(log_.Contains("sensitivity: measured before"));
  WriteFileAtomically(files_.Sensitivity(), curves + "conv3,1,1,50,0\n");
  EXPECT_THAT(ErrorOf([&] { Run(Sets(), {.resume = true}); }),
              HasSubstr("sensitivity.csv: the network has no layer \"conv3\""));
  Run(Sets());  // the folder's run is finished: everything anew
  EXPECT_EQ(ReadFile(files_.Sensitivity(), 1 << 20), curves);
}

TEST_F(SensitivityPipelineTest, ReusesAFileInsteadOfMeasuring) {
  Run(Sets());
  const auto layers = Column(files_.Layers(), "achieved");
  const std::string curves = folder_.Path("curves.csv");
  fs::rename(files_.Sensitivity(), curves);
  fs::remove_all(files_.folder());
  const auto sets = Sets({"sparsity.allocation.curves_file=" + curves});
  EXPECT_THAT(Run(sets, {.dry_run = true}), HasSubstr("   50 %: "));
  Run(sets);
  EXPECT_EQ(Column(files_.Layers(), "achieved"), layers);
  EXPECT_FALSE(fs::exists(files_.Sensitivity()));
  EXPECT_THAT(ReadFile(files_.Report(), 1 << 24), HasSubstr("Loss with one layer pruned"));
}

TEST_F(SensitivityPipelineTest, WithoutRepairTheMaskedWeightsAreMeasured) {
  Run(Sets({"sparsity.reconstruction=None"}));
  EXPECT_TRUE(
      log_.Contains("sensitivity: there is no reconstruction, so that layers are measured "
                    "with masked weights"));
  EXPECT_FALSE(log_.Contains("repaired"));
  EXPECT_NEAR(Overall(2), 75, 0.1);
}

TEST_F(SensitivityPipelineTest, BudgetsOfBytesAndMultiplyAddsAreMetAndSaid) {
  Run(Sets({"sparsity.allocation.budget=macs"}));
  EXPECT_TRUE(log_.Contains("50 % of the macs budget: 50.0 % of the multiply-adds and "));
  EXPECT_FALSE(log_.Contains("the masks reach"));
  fs::remove_all(files_.folder());
  Run(Sets({"sparsity.allocation.budget=size"}));
  EXPECT_TRUE(log_.Contains(" and 50.0 % of the bytes are gone"));
  EXPECT_THAT(ErrorOf([&] {
                Run(Sets({"sparsity.allocation.budget=size", "sweep=[99]"}));
              }),
              HasSubstr("99 % of the network's bytes cannot go: at most "));
}

TEST_F(SensitivityPipelineTest, TheDryRunSaysThatCurvesComeFirst) {
  const std::string plan = Run(Sets(), {.dry_run = true});
  EXPECT_THAT(plan, HasSubstr("Sensitivity allocation"));
  EXPECT_THAT(plan, HasSubstr("sensitivity measured first: every layer alone at 30, 60, 90 %, on "
                              "16 of 21 images of "));
  EXPECT_THAT(plan, HasSubstr("sparsities  50, 75 % of the pruned layers' weights; what each layer "
                              "gives is known after that"));
  EXPECT_THAT(plan, HasSubstr("layers.csv, sensitivity.csv, "));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

TEST_F(SensitivityPipelineTest, MistakesNameTheirPlace) {
  EXPECT_THAT(ErrorOf([&] { Run({"sparsity.allocation={type: Sensitivity}"}); }),
              HasSubstr("data.calibration: missing; allocation by Sensitivity measures on "
                        "images"));
  const auto error_with = [&](const std::string& levels) {
    return ErrorOf([&] { Run(Sets({"sparsity.allocation.levels=" + levels})); });
  };
  EXPECT_THAT(error_with("[50]"), HasSubstr("1 levels; a curve needs at least two"));
  EXPECT_THAT(error_with("[50, 40]"),
              HasSubstr("--set sparsity.allocation.levels=[50, 40]: sparsity.allocation.levels: 40 "
                        "after 50; levels must increase"));
  EXPECT_THAT(error_with("[0.2, 0.5]"),
              HasSubstr("no level is above 0.5 percent; this key is in percent, not a fraction"));
  EXPECT_FALSE(fs::exists(files_.folder()));
}

}  // namespace
}  // namespace sparsify
