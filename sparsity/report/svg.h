// Line and bar plots as SVG pictures that stand alone: no scripts, no fonts or files from
// elsewhere, light and dark by the reader's preference, tooltips as <title> elements.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sparsify {

/// One curve of a line plot, or one bar of every category.
struct Series {
  std::string label;
  /// Finite, in drawing order. For bars: (index of the category, height).
  std::vector<std::pair<double, double>> points;
};

struct Plot {
  std::string title = {};
  std::string x_label = {};
  std::string y_label = {};
  std::vector<Series> series = {};
  bool bars = false;  // draw vertical bars with `categories` as x labels
  std::vector<std::string> categories = {};
};

/// A standalone <svg> element, legible at 640×400, with axes, ticks, grid and legend. Colours
/// (Okabe and Ito's, legible for colour-blind readers), marker shapes and, beyond seven series,
/// dashes tell series apart. Bars stand on zero. A plot without points says so. Throws Error
/// on a value that is not finite or a bar without a category.
std::string RenderSvg(const Plot& plot);

}  // namespace sparsify
