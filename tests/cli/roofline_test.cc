#include "sparsity/cli/roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/cli/level_record.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

CsvTable Layers(const std::vector<std::vector<std::string>>& rows) {
  return {{"sparsity", "layer", "kernel", "gflops", "flop_per_byte"}, rows};
}

TEST(RooflinePlot, PutsSparseAndDenseDotsUnderTwoCeilings) {
  const CsvTable layers = Layers({{"50", "conv1", "onednn jit", "80", "16"},
                                  {"50", "conv2", "sparse 4x7", "40", "2.5"},
                                  {"50", "conv3", "lanes 4x7", "60", "8"},
                                  {"50", "conv4", "sparse 4x7", "", ""}});  // not timed
  const Plot plot = RooflinePlot(layers, 100, 20, "Roofline");
  ASSERT_EQ(plot.series.size(), 4U);
  EXPECT_TRUE(plot.logarithmic);
  EXPECT_EQ(plot.series[0].label, "sparse kernels");
  EXPECT_THAT(plot.series[0].points, ElementsAre(Pair(2.5, 40)));
  EXPECT_THAT(plot.series[0].names, ElementsAre("conv2\nsparse 4x7"));
  EXPECT_EQ(plot.series[1].label, "dense kernels");
  EXPECT_THAT(plot.series[1].points, ElementsAre(Pair(16, 80), Pair(8, 60)));
  // The corner: 100 GFLOP/s at 20 GB/s take 5 FLOP/byte.
  EXPECT_EQ(plot.series[2].label, "memory: 20.0 GB/s");
  EXPECT_THAT(plot.series[2].points, ElementsAre(Pair(1.25, 25), Pair(5, 100)));
  EXPECT_EQ(plot.series[3].label, "arithmetic: 100.0 GFLOP/s");
  EXPECT_THAT(plot.series[3].points, ElementsAre(Pair(5, 100), Pair(32, 100)));
}

TEST(RooflinePlot, TheCornerIsAlwaysInThePicture) {
  const Plot left = RooflinePlot(Layers({{"50", "a", "k", "1", "0.5"}}), 100, 20, "");
  EXPECT_THAT(left.series[2].points, ElementsAre(Pair(0.25, 5), Pair(5, 100)));
  EXPECT_THAT(left.series[3].points, ElementsAre(Pair(5, 100), Pair(10, 100)));
  const Plot right = RooflinePlot(Layers({{"50", "a", "k", "1", "50"}}), 100, 20, "");
  EXPECT_THAT(right.series[2].points, ElementsAre(Pair(2.5, 50), Pair(5, 100)));
}

TEST(RooflinePlot, IsEmptyWithoutDotsOrPeaks) {
  const CsvTable one = Layers({{"50", "a", "k", "1", "2"}});
  EXPECT_TRUE(RooflinePlot(Layers({}), 100, 20, "").series.empty());
  EXPECT_TRUE(RooflinePlot(Layers({{"50", "a", "k", "", ""}}), 100, 20, "").series.empty());
  EXPECT_TRUE(RooflinePlot(one, 0, 20, "").series.empty());
  EXPECT_TRUE(RooflinePlot(one, 100, 0, "").series.empty());
  EXPECT_THAT(RenderSvg(RooflinePlot(Layers({}), 100, 20, "Roofline")), HasSubstr("no data"));
}

TEST(RooflinePlot, RendersASinglePointAndEscapesNames) {
  const CsvTable one = Layers({{"50", "<conv & \"1\">", "sparse <k>", "7", "3"}});
  const std::string svg = RenderSvg(RooflinePlot(one, 100, 20, "Roofline <b>"));
  EXPECT_THAT(svg, HasSubstr("&lt;conv &amp; &quot;1&quot;&gt;\nsparse &lt;k&gt;\nFLOP/byte: 3\n"
                             "GFLOP/s: 7</title>"));
  EXPECT_THAT(svg, HasSubstr("Roofline &lt;b&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<conv")));
  EXPECT_THAT(svg, HasSubstr(">memory: 20.0 GB/s</text>"));
}

CsvTable Speedup(const std::vector<std::vector<std::string>>& rows) {
  return {{"sparsity", "batch", "threads", "isa", "peak_gflops", "peak_GB_per_s"}, rows};
}

TEST(RooflinePlots, OneForEachSparsityWithThePeaksOfItsFirstMeasurement) {
  const CsvTable layers = Layers(
      {{"0", "a", "k", "1", "2"}, {"50", "a", "sparse k", "3", "4"}, {"70", "a", "k", "", ""}});
  const CsvTable speedup = Speedup({{"0", "8", "1", "avx2", "100", "20"},
                                    {"0", "8", "2", "avx2", "200", "20"},
                                    {"50", "8", "2", "avx2", "200", "20"},
                                    {"70", "8", "1", "avx2", "100", "20"}});
  const std::vector<Plot> plots = RooflinePlots(layers, speedup);
  ASSERT_EQ(plots.size(), 2U);
  EXPECT_EQ(plots[0].title, "Roofline, dense: batch 8, 1 thread, avx2");
  EXPECT_EQ(plots[0].series[3].label, "arithmetic: 100.0 GFLOP/s");
  EXPECT_EQ(plots[1].title, "Roofline, 50 %: batch 8, 2 threads, avx2");
  EXPECT_THAT(plots[1].series[0].points, ElementsAre(Pair(4, 3)));
  EXPECT_TRUE(RooflinePlots(Layers({}), Speedup({})).empty());
}

TEST(PeakRows, NameEachInstructionSetAndThreadCountOnce) {
  const CsvTable speedup = Speedup({{"0", "8", "1", "avx2", "100.0", "20.0"},
                                    {"0", "8", "2", "avx2", "190.0", "25.0"},
                                    {"50", "8", "1", "avx2", "101.0", "21.0"}});
  EXPECT_THAT(PeakRows(speedup),
              ElementsAre(ElementsAre("peak, avx2, 1 thread", "100.0 GFLOP/s, 20.0 GB/s"),
                          ElementsAre("peak, avx2, 2 threads", "190.0 GFLOP/s, 25.0 GB/s")));
  EXPECT_TRUE(PeakRows(Speedup({{"0", "8", "1", "avx2", "0", "0"}})).empty());
}

}  // namespace
}  // namespace sparsify
