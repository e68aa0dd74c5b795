#include "sparsity/report/svg.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <regex>
#include <sstream>

#include "sparsity/base/error.h"
#include "xml_checker.h"

namespace sparsify {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

const std::string kHostile = "</text><script>alert('1')</script>&\"\x01";

std::vector<std::string> TextsOf(const std::vector<XmlElement>& elements, const std::string& name) {
  std::vector<std::string> texts;
  for (const XmlElement& element : elements) {
    if (element.name == name) texts.push_back(element.text);
  }
  return texts;
}

Plot TwoCurves() {
  return {.title = "Accuracy",
          .x_label = "sparsity, %",
          .y_label = "top-1, %",
          .series = {{"Normal", {{0, 94}, {50, 93}, {90, 60}}}, {"N:M", {{0, 94}, {50, 92}}}}};
}

Plot Bars(size_t categories, size_t series) {
  Plot plot{.title = "Layers", .y_label = "%", .bars = true};
  for (size_t i = 0; i < categories; ++i)
    plot.categories.push_back(fmt::format("layer1.0.conv{}", i));
  for (size_t s = 0; s < series; ++s) {
    Series& bars = plot.series.emplace_back();
    bars.label = fmt::format("s{}", s);
    for (size_t i = 0; i < categories; ++i) {
      bars.points.emplace_back(static_cast<double>(i), 10.0 * static_cast<double>(i + s));
    }
  }
  return plot;
}

std::string MessageOf(const Plot& plot) {
  try {
    RenderSvg(plot);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Svg, LinesHaveCurvesMarkersTooltipsAndALegend) {
  const auto elements = ParseXml(RenderSvg(TwoCurves()));
  EXPECT_EQ(elements[0].name, "svg");
  EXPECT_EQ(elements[0].attributes.at("xmlns"), "http://www.w3.org/2000/svg");
  EXPECT_EQ(elements[0].attributes.at("viewBox"), "0 0 640 400");
  const std::vector<std::string> texts = TextsOf(elements, "text");
  for (const char* expected : {"Accuracy", "sparsity, %", "top-1, %", "Normal", "N:M", "0", "50",
                               "90", "60", "70", "80", "100"}) {
    EXPECT_THAT(texts, Contains(expected));
  }
  const std::vector<std::string> tooltips = TextsOf(elements, "title");
  EXPECT_EQ(tooltips.size(), 5U);
  EXPECT_THAT(tooltips, Contains("Normal\nsparsity, %: 90\ntop-1, %: 60"));
  EXPECT_EQ(CountElements(elements, "path"), 2 + 5 + 2);  // curves, markers, legend markers
}

TEST(Svg, PointsLieWhereTheTicksSay) {
  // Ticks 0 … 100 on both axes; the middle value must lie in the middle of the paper's ticks.
  const auto elements = ParseXml(RenderSvg({.series = {{"", {{0, 0}, {50, 50}, {100, 100}}}}}));
  std::map<std::string, double> tick_y;
  std::vector<std::pair<double, double>> points;
  for (const XmlElement& element : elements) {
    if (element.name == "text" && element.attributes.at("text-anchor") == "end") {
      tick_y[element.text] = std::stod(element.attributes.at("y")) - 4;
    }
    if (element.name == "circle") {
      points.emplace_back(std::stod(element.attributes.at("cx")),
                          std::stod(element.attributes.at("cy")));
    }
  }
  ASSERT_EQ(points.size(), 3U);
  EXPECT_NEAR(points[0].second, tick_y.at("0"), 0.2);
  EXPECT_NEAR(points[2].second, tick_y.at("100"), 0.2);
  EXPECT_NEAR(points[1].second, (tick_y.at("0") + tick_y.at("100")) / 2, 0.2);
  EXPECT_NEAR(points[1].first, (points[0].first + points[2].first) / 2, 0.2);
  EXPECT_LT(points[0].first, points[2].first);
  EXPECT_GT(points[0].second, points[2].second);
}

TEST(Svg, BarsStandOnZeroSideBySide) {
  const auto elements = ParseXml(RenderSvg(Bars(4, 2)));
  std::vector<std::pair<double, double>> spans;
  double base = -1;
  for (const XmlElement& element : elements) {
    if (element.name != "rect" || element.parent != "g") continue;
    const double x = std::stod(element.attributes.at("x"));
    const double bottom =
        std::stod(element.attributes.at("y")) + std::stod(element.attributes.at("height"));
    if (base < 0) base = bottom;
    EXPECT_NEAR(bottom, base, 0.02);
    spans.emplace_back(x, x + std::stod(element.attributes.at("width")));
  }
  ASSERT_EQ(spans.size(), 8U);
  std::sort(spans.begin(), spans.end());
  for (size_t i = 1; i < spans.size(); ++i) EXPECT_LE(spans[i - 1].second, spans[i].first + 0.01);
  EXPECT_THAT(TextsOf(elements, "title"), Contains("s1\nx: layer1.0.conv3\n%: 40"));
}

TEST(Svg, ManyBarsStayOnThePaperWithTurnedLabels) {
  for (const size_t count : {1, 14, 30, 120, 700}) {
    Plot plot = Bars(count, 1);
    plot.categories[0] = std::string(300, 'w');
    const auto elements = ParseXml(RenderSvg(plot));
    std::istringstream box(elements[0].attributes.at("viewBox"));
    double left = 0, top = 0, width = 0, height = 0;
    box >> left >> top >> width >> height;
    EXPECT_EQ(width, 640);
    for (const XmlElement& element : elements) {
      if (element.name != "rect" || element.parent != "g") continue;
      EXPECT_GE(std::stod(element.attributes.at("x")), 0);
      EXPECT_LE(std::stod(element.attributes.at("x")) + std::stod(element.attributes.at("width")),
                640);
      EXPECT_LE(std::stod(element.attributes.at("y")) + std::stod(element.attributes.at("height")),
                height);
    }
    EXPECT_EQ(TextsOf(elements, "title").size(), count);
  }
}

TEST(Svg, ManySeriesDifferInColourShapeOrDash) {
  Plot plot;
  for (int s = 0; s < 14; ++s)
    plot.series.push_back({fmt::format("series {}", s), {{0, s}, {1, s + 1}}});
  const auto elements = ParseXml(RenderSvg(plot));
  std::vector<std::string> looks;
  for (const XmlElement& element : elements) {
    if (element.name != "path" || element.attributes.at("fill") != "none") continue;
    const auto dash = element.attributes.find("stroke-dasharray");
    looks.push_back(element.attributes.at("stroke") +
                    (dash == element.attributes.end() ? "" : dash->second));
  }
  ASSERT_EQ(looks.size(), 14U);
  std::sort(looks.begin(), looks.end());
  EXPECT_EQ(std::unique(looks.begin(), looks.end()), looks.end());
}

TEST(Svg, EveryStringIsEscaped) {
  Plot plot = TwoCurves();
  plot.title = plot.x_label = plot.y_label = plot.series[0].label = plot.series[1].label = kHostile;
  Plot bars = Bars(3, 2);
  bars.title = bars.x_label = bars.y_label = bars.series[0].label = bars.categories[1] = kHostile;
  for (const Plot& hostile : {plot, bars}) {
    const std::string svg = RenderSvg(hostile);
    const auto elements = ParseXml(svg);
    EXPECT_EQ(CountElements(elements, "script"), 0);
    EXPECT_THAT(svg, HasSubstr("&lt;script&gt;"));
  }
}

TEST(Svg, EmptyAndConstantPlotsAreDrawn) {
  EXPECT_THAT(TextsOf(ParseXml(RenderSvg({.title = "T", .series = {{"a", {}}}})), "text"),
              Contains("no data"));
  EXPECT_THAT(RenderSvg({}), HasSubstr("no data"));
  for (const double value : {0.0, 1.0, -7.5, 1e300}) {
    const std::string svg = RenderSvg({.series = {{"a", {{value, value}}}}});
    ParseXml(svg);
    EXPECT_FALSE(std::regex_search(svg, std::regex("=\"-?(nan|inf)"))) << svg;
  }
  Plot zero = Bars(2, 1);
  for (auto& point : zero.series[0].points) point.second = 0;
  EXPECT_EQ(TextsOf(ParseXml(RenderSvg(zero)), "title").size(), 2U);
}

Plot Dots() {
  return {.title = "Roofline",
          .x_label = "FLOP/byte",
          .y_label = "GFLOP/s",
          .series = {{"sparse", {{1, 10}, {10, 100}}, SeriesStyle::kDots, {"conv1", "conv2"}},
                     {"roof", {{1, 100}, {100, 100}}, SeriesStyle::kLine}},
          .logarithmic = true};
}

TEST(Svg, DotsHaveNamedTooltipsAndLinesNone) {
  const auto elements = ParseXml(RenderSvg(Dots()));
  EXPECT_THAT(TextsOf(elements, "title"),
              ::testing::ElementsAre("conv1\nFLOP/byte: 1\nGFLOP/s: 10",
                                     "conv2\nFLOP/byte: 10\nGFLOP/s: 100"));
  EXPECT_THAT(TextsOf(elements, "text"), Contains("sparse"));
  int lines = 0;
  int markers = 0;
  for (const XmlElement& element : elements) {
    if (element.name != "path") continue;
    ++(element.attributes.at("fill") == "none" ? lines : markers);
  }
  EXPECT_EQ(lines, 1);        // the roof
  EXPECT_EQ(markers, 2 + 1);  // dots, and one in the legend
}

TEST(Svg, LogarithmicPointsLieAtTheirPowers) {
  Plot plot = Dots();
  plot.series[0] = {"", {{1, 1}, {10, 10}, {100, 100}}};
  plot.series.pop_back();
  std::vector<std::pair<double, double>> points;
  for (const XmlElement& element : ParseXml(RenderSvg(plot))) {
    if (element.name != "circle") continue;
    points.emplace_back(std::stod(element.attributes.at("cx")),
                        std::stod(element.attributes.at("cy")));
  }
  ASSERT_EQ(points.size(), 3U);
  EXPECT_NEAR(points[1].first, (points[0].first + points[2].first) / 2, 0.2);
  EXPECT_NEAR(points[1].second, (points[0].second + points[2].second) / 2, 0.2);
  EXPECT_LT(points[0].first, points[2].first);
}

TEST(Svg, WhatCannotBeDrawnIsRefused) {
  Plot plot = TwoCurves();
  plot.series[1].points[0].second = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(
      MessageOf(plot),
      "plot: \"Accuracy\", series \"N:M\" has the point (0, nan); only finite values are drawn");
  Plot dots = Dots();
  dots.series[0].points[1].first = 0;
  EXPECT_EQ(MessageOf(dots),
            "plot: \"Roofline\", series \"sparse\" has the point (0, 100); logarithmic axes begin "
            "above 0");
  dots.series[0].names.pop_back();
  EXPECT_EQ(MessageOf(dots), "plot: \"Roofline\", series \"sparse\" has 1 names for 2 points");
  Plot bars = Bars(2, 1);
  bars.series[0].points.emplace_back(2, 1);
  EXPECT_EQ(MessageOf(bars),
            "plot: \"Layers\", series \"s0\" has a bar at 2, categories are 0 … 1");
}

}  // namespace
}  // namespace sparsify
