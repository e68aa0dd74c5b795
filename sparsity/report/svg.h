// Line and bar plots as SVG pictures that stand alone: no scripts, no fonts or files from
// elsewhere, light and dark by the reader's preference, tooltips as <title> elements.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sparsify {

/// How a series of a line plot is drawn.
enum class SeriesStyle {
  kCurve,  // a line with a marker at each point
  kLine,   // a line alone, without tooltips
  kDots,   // markers alone
};

/// One curve of a line plot, or one bar of every category.
struct Series {
  std::string label;
  /// Finite, in drawing order. For bars: (index of the category, height).
  std::vector<std::pair<double, double>> points;
  SeriesStyle style = SeriesStyle::kCurve;
  /// What the tooltip of each point begins with, in the place of `label`; empty, or one a point.
  std::vector<std::string> names = {};
};

struct Plot {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  std::vector<Series> series = {};
  bool bars = false;  // draw vertical bars with `categories` as x labels
  std::vector<std::string> categories = {};
  bool logarithmic = false;  // both axes; not for bars
};

/// A standalone <svg> element, legible at 640×400, with axes, ticks, grid and legend. Colours
/// (Okabe and Ito's, legible for colour-blind readers), marker shapes and, beyond seven series,
/// dashes tell series apart. Bars stand on zero. A plot without points says so. Throws Error
/// on a value that is not finite, a bar without a category, a value that a logarithm does not have,
/// or names that are not one a point.
std::string RenderSvg(const Plot& plot);

}  // namespace sparsify
