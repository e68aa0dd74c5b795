// Everything of a plot but its data: paper, title, legend, grid, axes and their labels.
#pragma once

#include <string>

#include "sparsity/report/axis.h"
#include "sparsity/report/svg.h"

namespace sparsify {

constexpr double kPlotWidth = 640;
constexpr double kPlotHeight = 400;

/// Colours before they repeat (with dashes).
constexpr size_t kPlotColors = 7;

/// Paper coordinates: y grows downward. The axes' From and To lie on the box.
struct PlotFrame {
  double height = kPlotHeight;  // more when long category names hang below
  double left = 0;
  double right = 0;
  double top = 0;
  double bottom = 0;
  Axis x;  // bars: category i lies at i
  Axis y;
  std::string svg;  // title, legend, grid, axes
};

/// Chooses axes and margins for `plot`, which has at least one point, and draws them.
PlotFrame DrawFrame(const Plot& plot);

/// The <style> that switches colours in dark mode, where style sheets are read at all; the
/// elements' own attributes are for light paper. Classes: sp-ink (text), sp-dim (axis text),
/// sp-grid, sp-axis (lines), sp-sN (stroke) and sp-fN (fill) of series N.
std::string PlotStyle();
/// Colour of series i on light paper.
std::string PlotColor(size_t series);
/// A marker of series i's shape around (x, y), about `size` across.
std::string PlotMarker(size_t series, double x, double y, double size);
/// "" or a dash attribute, for series i.
std::string PlotDash(size_t series);

/// A <text> element; `anchor` is start, middle or end; `turn` degrees around (x, y).
std::string PlotText(double x, double y, const std::string& anchor, const std::string& text,
                     const std::string& css_class, double size, double turn = 0);

}  // namespace sparsify
