#include "sparsity/cli/run_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

LevelRecord Record(double percent, const std::string& top1, const std::string& speedup) {
  LevelRecord record;
  record.sparsity = percent;
  const std::string level = fmt::format("{}", percent);
  record.accuracy = {"net", "m", level, level, top1, "99", "98", "0.1", "100", "1"};
  record.speedup.assign(SpeedupColumns().size(), "1");
  record.speedup[5] = level;
  record.speedup[8] = speedup;
  record.layers = {level, "conv1", "[1]", "1", "1", level, level, "", "k", "", "", ""};
  return record;
}

TEST(MakeRunReport, DrawsTheCurvesOfTheTables) {
  const Report report =
      MakeRunReport("net", {Record(0, "94", "1"), Record(50, "93.5", "1.8")}, "seed: 0\n");
  ASSERT_EQ(report.sections.size(), 6U);
  EXPECT_THAT(report.sections[0].plots.at(0).series.at(0).points,
              ElementsAre(Pair(0, 94), Pair(50, 93.5)));
  EXPECT_THAT(report.sections[1].plots.at(0).series.at(0).points,
              ElementsAre(Pair(0, 1), Pair(50, 1.8)));
  EXPECT_THAT(report.sections[2].plots.at(0).categories, ElementsAre("conv1"));
  EXPECT_THAT(report.sections[2].plots.at(0).series.at(0).points, ElementsAre(Pair(0, 50)));
  EXPECT_EQ(report.sections[5].preformatted, "seed: 0\n");
}

TEST(MakeRunReport, ShowsRepairAndTime) {
  LevelRecord record = Record(50, "93", "1.5");
  record.repair = {"50", "conv1",  "0.5", "0.125", "0",  "64", "1.5", "", "",
                   "50", "polish", "2",   "1",     "10", "64", "3",   "", ""};
  record.times = {"50", "repair: solve", "1.25", "300"};
  const Report report = MakeRunReport("net", {record}, "");
  ASSERT_EQ(report.sections.size(), 7U);
  const ReportSection& repair = report.sections[3];
  EXPECT_EQ(repair.heading, "Repair");
  EXPECT_THAT(repair.plots.at(0).categories, ElementsAre("conv1"));
  EXPECT_THAT(repair.plots.at(0).series.at(0).points, ElementsAre(Pair(0, 0.125)));
  EXPECT_EQ(report.sections[4].heading, "Time");
  EXPECT_EQ(report.sections[4].tables.at(0).second.rows.size(), 1U);
}

TEST(MakeRunReport, SaysWhatWasNotMeasured) {
  LevelRecord record = Record(50, "1", "1");
  record.accuracy.clear();
  record.speedup.clear();
  const Report report = MakeRunReport("net", {record}, "");
  EXPECT_EQ(report.sections[0].text, "Not measured: the configuration names no data.evaluation.");
  EXPECT_EQ(report.sections[1].text, "Not measured: the configuration has no benchmark section.");
}

TEST(MakeRunReport, ShowsSensitivityWhereThereAreCurves) {
  std::vector<SensitivityCurve> curves;
  for (int i = 0; i < 9; ++i) {
    curves.push_back({fmt::format("conv{}", i), 100, 7, {0.2, 0.5019}, {0.25, 0.5}});
  }
  curves[8].sparsity = {0.9};
  curves[8].loss = {3};
  const Report report = MakeRunReport("net", {Record(50, "1", "1")}, "", curves);
  ASSERT_EQ(report.sections.size(), 7U);
  const ReportSection& section = report.sections[3];
  EXPECT_EQ(section.heading, "Sensitivity");
  ASSERT_EQ(section.plots.size(), 2U);
  EXPECT_EQ(section.plots[1].title, "Loss with one layer pruned, layers 8 to 9");
  EXPECT_EQ(section.plots[0].series.size(), 7U);
  EXPECT_THAT(
      section.plots[0].series[6].points,
      ElementsAre(Pair(0, 0), Pair(20, 0.25), Pair(::testing::DoubleNear(50.19, 1e-9), 0.5)));
  const CsvTable& table = section.tables.at(0).second;
  EXPECT_THAT(table.header, ElementsAre("layer", "parameters", "macs", "20 %", "50 %", "90 %"));
  EXPECT_THAT(table.rows.at(0), ElementsAre("conv0", "100", "7", "0.25", "0.5", ""));
  EXPECT_THAT(table.rows.at(8), ElementsAre("conv8", "100", "7", "", "", "3"));
}

}  // namespace
}  // namespace sparsify
