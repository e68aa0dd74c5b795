#include "sparsity/cli/run_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

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
  record.layers = {level, "conv1", "[1]", "1", "1", level, level, "",
                   "k",   "",      "",    "",  "",  "",    "",    ""};
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

TEST(MakeRunReport, DrawsLatencyRooflineAndPeaks) {
  LevelRecord record = Record(50, "93", "1.8");
  const auto set = [](const std::vector<std::string>& columns, std::vector<std::string>& cells,
                      const std::string& column, const std::string& value) {
    const auto found = std::find(columns.begin(), columns.end(), column);
    ASSERT_NE(found, columns.end());
    cells[static_cast<size_t>(found - columns.begin())] = value;
  };
  set(SpeedupColumns(), record.speedup, "time_ms", "2.5");
  set(SpeedupColumns(), record.speedup, "dense_time_ms", "4.5");
  set(SpeedupColumns(), record.speedup, "isa", "avx512");
  set(SpeedupColumns(), record.speedup, "peak_gflops", "95.0");
  set(SpeedupColumns(), record.speedup, "peak_GB_per_s", "11.2");
  set(LayerColumns(), record.layers, "gflops", "47.5");
  set(LayerColumns(), record.layers, "flop_per_byte", "20");
  const Report report = MakeRunReport("net", {Record(0, "94", "1"), record}, "");
  const std::vector<Plot>& plots = report.sections[1].plots;
  ASSERT_EQ(plots.size(), 3U);
  EXPECT_EQ(plots[1].title, "Latency against sparsity");
  EXPECT_THAT(plots[1].series.at(0).points, ElementsAre(Pair(0, 1), Pair(50, 2.5)));
  EXPECT_THAT(plots[1].series.at(1).points, ElementsAre(Pair(0, 1), Pair(50, 4.5)));
  EXPECT_EQ(plots[2].title, "Roofline, 50 %: batch 1, 1 thread, avx512");
  EXPECT_THAT(plots[2].series.at(1).points, ElementsAre(Pair(20, 47.5)));
  const CsvTable& machine = report.sections[4].tables.at(0).second;
  EXPECT_EQ(machine.rows.back(),
            (std::vector<std::string>{"peak, avx512, 1 thread", "95.0 GFLOP/s, 11.2 GB/s"}));
}

TEST(MakeRunReport, StreamsAreCurvesOfTheirOwn) {
  LevelRecord record = Record(50, "93", "1.8");
  std::vector<std::string> more = record.speedup;
  const auto streams = std::find(SpeedupColumns().begin(), SpeedupColumns().end(), "streams");
  more[static_cast<size_t>(streams - SpeedupColumns().begin())] = "4";
  more[8] = "2.5";
  record.speedup.insert(record.speedup.end(), more.begin(), more.end());
  const Report report = MakeRunReport("net", {record}, "");
  const std::vector<Series>& series = report.sections[1].plots.at(0).series;
  ASSERT_EQ(series.size(), 2U);
  EXPECT_EQ(series[0].label, "batch 1, 1 threads, 1");
  EXPECT_EQ(series[1].label, "batch 1, 1 threads, 1, 4 streams");
  EXPECT_THAT(series[1].points, ElementsAre(Pair(50, 2.5)));
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
