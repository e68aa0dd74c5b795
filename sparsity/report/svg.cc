#include "sparsity/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/report/markup.h"
#include "sparsity/report/plot_frame.h"

namespace sparsify {
namespace {

void Check(const Plot& plot) {
  const double categories = static_cast<double>(plot.categories.size());
  for (const Series& series : plot.series) {
    if (!series.names.empty() && series.names.size() != series.points.size()) {
      Fail("plot", "\"{}\", series \"{}\" has {} names for {} points", plot.title, series.label,
           series.names.size(), series.points.size());
    }
    for (const auto& [x, y] : series.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) {
        Fail("plot", "\"{}\", series \"{}\" has the point ({}, {}); only finite values are drawn",
             plot.title, series.label, x, y);
      }
      if (plot.logarithmic && (x <= 0 || y <= 0)) {
        Fail("plot", "\"{}\", series \"{}\" has the point ({}, {}); logarithmic axes begin above 0",
             plot.title, series.label, x, y);
      }
      if (plot.bars && (x < 0 || x >= categories || x != std::floor(x))) {
        Fail("plot", "\"{}\", series \"{}\" has a bar at {}, categories are 0 … {}", plot.title,
             series.label, x, categories - 1);
      }
    }
  }
}

bool HasPoints(const Plot& plot) {
  return std::any_of(plot.series.begin(), plot.series.end(),
                     [](const Series& series) { return !series.points.empty(); });
}

// A shape whose tooltip tells the values.
std::string WithTooltip(const std::string& text, const std::string& shape) {
  return fmt::format("<g><title>{}</title>{}</g>\n", EscapeMarkup(text), shape);
}

std::string TooltipOf(const Plot& plot, const std::string& name, const std::string& x, double y) {
  const std::string label = name.empty() ? "" : name + "\n";
  const std::string x_name = plot.x_label.empty() ? "x" : plot.x_label;
  const std::string y_name = plot.y_label.empty() ? "y" : plot.y_label;
  return fmt::format("{}{}: {}\n{}: {:.6g}", label, x_name, x, y_name, y);
}

std::string DrawMarkers(const Plot& plot, size_t index, const PlotFrame& frame) {
  const Series& series = plot.series[index];
  std::string markers;
  for (size_t i = 0; i < series.points.size(); ++i) {
    const auto& [x, y] = series.points[i];
    const double at_x = frame.x.At(x);
    const double at_y = frame.y.At(y);
    const std::string& name = series.names.empty() ? series.label : series.names[i];
    // The invisible disc makes the tooltip easy to hit.
    markers += WithTooltip(TooltipOf(plot, name, fmt::format("{:.6g}", x), y),
                           fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"9\" fill=\"none\" "
                                       "pointer-events=\"all\"/>",
                                       at_x, at_y) +
                               PlotMarker(index, at_x, at_y, 7));
  }
  return markers;
}

std::string DrawSeries(const Plot& plot, size_t index, const PlotFrame& frame) {
  const Series& series = plot.series[index];
  if (series.points.empty()) return "";
  const std::string markers =
      series.style == SeriesStyle::kLine ? "" : DrawMarkers(plot, index, frame);
  if (series.style == SeriesStyle::kDots) return markers;
  std::string path;
  for (const auto& [x, y] : series.points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", frame.x.At(x), frame.y.At(y));
  }
  return fmt::format(
             "<path class=\"sp-s{}\" d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" "
             "stroke-linejoin=\"round\" stroke-linecap=\"round\"{}/>\n",
             index % kPlotColors, path, PlotColor(index), PlotDash(index)) +
         markers;
}

std::string DrawBars(const Plot& plot, size_t index, const PlotFrame& frame) {
  const Series& series = plot.series[index];
  const double slot = frame.x.At(1) - frame.x.At(0);
  const double width = std::min(0.8 * slot / static_cast<double>(plot.series.size()), 56.0);
  const double group = width * static_cast<double>(plot.series.size());
  const double base = frame.y.At(0);
  std::string svg;
  for (const auto& [x, y] : series.points) {
    const double left = frame.x.At(x) - group / 2 + static_cast<double>(index) * width;
    const double tip = frame.y.At(y);
    svg += WithTooltip(
        TooltipOf(plot, series.label, plot.categories[static_cast<size_t>(x)], y),
        fmt::format("<rect class=\"sp-f{}\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" "
                    "height=\"{:.2f}\" fill=\"{}\"/>",
                    index % kPlotColors, left, std::min(tip, base), std::max(width - 0.5, 0.5),
                    std::abs(tip - base), PlotColor(index)));
  }
  return svg;
}

std::string EmptyFrame(const Plot& plot) {
  return PlotText(16, 26, "start", Shorten(plot.title, 68), "sp-ink", 16) +
         PlotText(kPlotWidth / 2, kPlotHeight / 2, "middle", "no data", "sp-dim", 13);
}

}  // namespace

std::string RenderSvg(const Plot& plot) {
  Check(plot);
  double height = kPlotHeight;
  std::string body;
  if (HasPoints(plot)) {
    const PlotFrame frame = DrawFrame(plot);
    height = frame.height;
    body = frame.svg;
    for (size_t i = 0; i < plot.series.size(); ++i) {
      body += plot.bars ? DrawBars(plot, i, frame) : DrawSeries(plot, i, frame);
    }
  } else {
    body = EmptyFrame(plot);
  }
  const std::string label = plot.title.empty() ? plot.y_label : plot.title;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:.0f}\" role=\"img\" "
      "aria-label=\"{2}\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, "
      "'Helvetica Neue', Arial, sans-serif\">\n{3}<rect class=\"sp-paper\" width=\"{0:g}\" "
      "height=\"{1:.0f}\" fill=\"#ffffff\"/>\n{4}</svg>\n",
      kPlotWidth, height, EscapeMarkup(label), PlotStyle(), body);
}

}  // namespace sparsify
