#include "sparsity/report/plot_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "sparsity/report/markup.h"

namespace sparsify {
namespace {

constexpr double kMargin = 16;
constexpr double kTickSize = 13;  // font of tick labels, legend and axis labels
constexpr double kTitleSize = 16;
constexpr double kCharacterWidth = 0.56;  // of the font size, on average
constexpr size_t kMaxCategoryLength = 24;

constexpr std::string_view kLight[kPlotColors] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                  "#e69f00", "#56b4e9", "#5f5f5f"};
constexpr std::string_view kDark[kPlotColors] = {"#58a9e6", "#ff8b4a", "#35c79c", "#e7a3cb",
                                                 "#f5bd4f", "#9bd6f7", "#b5b5b5"};

double TextWidth(std::string_view text, double size) {
  return static_cast<double>(CodePoints(text)) * size * kCharacterWidth;
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view css_class) {
  const std::string_view color = css_class == "sp-grid" ? "#e4e7eb" : "#8a929c";
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" "
      "stroke=\"{}\"/>\n",
      css_class, x1, y1, x2, y2, color);
}

// What a series looks like, for the legend: `width` from (x, y).
std::string Sample(SeriesStyle style, size_t series, double x, double y, double width) {
  std::string svg;
  if (style != SeriesStyle::kDots) {
    svg += fmt::format(
        "<line class=\"sp-s{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" "
        "stroke=\"{}\" stroke-width=\"2\"{}/>\n",
        series % kPlotColors, x, y, x + width, y, PlotColor(series), PlotDash(series));
  }
  if (style != SeriesStyle::kLine) svg += PlotMarker(series, x + width / 2, y, 7);
  return svg;
}

// Draws the legend from `y` down, as many rows as it takes, and moves y below it.
std::string Legend(const Plot& plot, double& y) {
  if (plot.series.size() < 2) return "";
  constexpr double kSample = 22;
  constexpr double kGap = 18;
  constexpr double kRow = 19;
  std::string svg;
  double x = kMargin;
  y += kRow;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const std::string label = Shorten(plot.series[i].label, 60);
    const double width = kSample + 6 + TextWidth(label, kTickSize);
    if (x > kMargin && x + width > kPlotWidth - kMargin) {
      x = kMargin;
      y += kRow;
    }
    if (plot.bars) {
      svg += fmt::format(
          "<rect class=\"sp-f{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"12\" height=\"12\" rx=\"2\" "
          "fill=\"{}\"/>\n",
          i % kPlotColors, x + 6, y - 10, PlotColor(i));
    } else {
      svg += Sample(plot.series[i].style, i, x, y - 4, kSample);
    }
    svg += PlotText(x + kSample + 6, y, "start", label, "sp-ink", kTickSize);
    x += width + kGap;
  }
  return svg;
}

void ChooseAxes(const Plot& plot, PlotFrame& frame) {
  std::vector<double> xs;
  double low = plot.bars ? 0 : plot.series[0].points.empty() ? 0 : plot.series[0].points[0].second;
  bool first = !plot.bars;
  double high = low;
  for (const Series& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      xs.push_back(x);
      low = first ? y : std::min(low, y);
      high = first ? y : std::max(high, y);
      first = false;
    }
  }
  if (plot.logarithmic) {
    const auto [least, most] = std::minmax_element(xs.begin(), xs.end());
    frame.x = LogAxis(*least, *most);
    frame.y = LogAxis(low, high);
    return;
  }
  frame.y = NiceAxis(low, plot.bars && low == 0 && high == 0 ? 1 : high, 5);
  if (plot.bars) {
    frame.x.min = -0.5;
    frame.x.max = static_cast<double>(plot.categories.size()) - 0.5;
  } else {
    frame.x = DataAxis(xs, 8, 0.03, 0.07);
  }
}

// How category names are set: level, slanted or upright, every `stride`-th.
struct CategoryStyle {
  double turn = 0;
  double size = kTickSize;
  size_t stride = 1;
  double depth = 18;    // below the axis
  double overhang = 0;  // of the first name, left of its bar's middle
};

CategoryStyle ChooseCategoryStyle(const Plot& plot, double slot) {
  double widest = 0;
  for (const std::string& name : plot.categories) {
    widest = std::max(widest, TextWidth(Shorten(name, kMaxCategoryLength), kTickSize));
  }
  CategoryStyle style;
  if (widest <= slot - 6) return style;
  style.turn = slot >= 20 ? -40 : -90;
  style.size = style.turn == -90 ? 10 : 11;
  style.stride = static_cast<size_t>(std::max(1.0, std::ceil(11.5 / slot)));
  const double length = widest * style.size / kTickSize;
  style.depth = 14 + (style.turn == -90 ? length : length * 0.65 + 6);
  style.overhang = style.turn == -90 ? 0 : length * 0.77;
  return style;
}

std::string DrawCategories(const Plot& plot, const CategoryStyle& style, const PlotFrame& frame) {
  std::string svg;
  for (size_t i = 0; i < plot.categories.size(); i += style.stride) {
    const double x = frame.x.At(static_cast<double>(i));
    const std::string text = Shorten(plot.categories[i], kMaxCategoryLength);
    if (style.turn == 0) {
      svg += PlotText(x, frame.bottom + 18, "middle", text, "sp-dim", style.size);
    } else {
      const double shift = style.turn == -90 ? style.size * 0.35 : 4;
      svg += PlotText(x + shift, frame.bottom + 10, "end", text, "sp-dim", style.size, style.turn);
    }
  }
  return svg;
}

std::string DrawTicks(const Plot& plot, const PlotFrame& frame) {
  std::string svg;
  for (const double tick : frame.y.ticks) {
    const double y = frame.y.At(tick);
    svg += Line(frame.left, y, frame.right, y, "sp-grid");
    svg += PlotText(frame.left - 8, y + 4, "end", frame.y.Label(tick), "sp-dim", kTickSize);
  }
  if (!plot.bars) {
    for (const double tick : frame.x.ticks) {
      const double x = frame.x.At(tick);
      svg += Line(x, frame.bottom, x, frame.bottom + 5, "sp-axis");
      svg += PlotText(x, frame.bottom + 19, "middle", frame.x.Label(tick), "sp-dim", kTickSize);
    }
  }
  const double base = plot.bars ? frame.y.At(0) : frame.bottom;
  return svg + Line(frame.left, base, frame.right, base, "sp-axis");
}

}  // namespace

std::string PlotColor(size_t series) { return std::string(kLight[series % kPlotColors]); }

std::string PlotDash(size_t series) {
  const size_t round = series / kPlotColors;
  if (round == 0) return "";
  return round % 2 == 1 ? " stroke-dasharray=\"6 4\"" : " stroke-dasharray=\"2 3\"";
}

std::string PlotMarker(size_t series, double x, double y, double size) {
  const double r = size / 2;
  std::string path;
  switch (series % 4) {
    case 0:
      path = fmt::format(
          "M{0:.1f} {1:.1f}a{2:.1f} {2:.1f} 0 1 0 {3:.1f} 0a{2:.1f} {2:.1f} 0 1 0 {4:.1f} 0z",
          x - r, y, r, size, -size);
      break;
    case 1:
      path = fmt::format("M{:.1f} {:.1f}h{:.1f}v{:.1f}h{:.1f}z", x - r, y - r, size, size, -size);
      break;
    case 2:
      path = fmt::format("M{:.1f} {:.1f}l{:.1f} {:.1f}h{:.1f}z", x, y - r * 1.15, r * 1.15,
                         size * 1.05, -r * 2.3);
      break;
    default:
      path = fmt::format("M{0:.1f} {1:.1f}l{2:.1f} {2:.1f}l{3:.1f} {2:.1f}l{3:.1f} {3:.1f}z", x,
                         y - r * 1.25, r * 1.25, -r * 1.25);
  }
  return fmt::format("<path class=\"sp-f{}\" d=\"{}\" fill=\"{}\"/>\n", series % kPlotColors, path,
                     PlotColor(series));
}

std::string PlotText(double x, double y, const std::string& anchor, const std::string& text,
                     const std::string& css_class, double size, double turn) {
  if (text.empty()) return "";
  const std::string rotate =
      turn == 0 ? "" : fmt::format(" transform=\"rotate({:.0f} {:.1f} {:.1f})\"", turn, x, y);
  return fmt::format(
      "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{:g}\" "
      "fill=\"{}\"{}{}>{}</text>\n",
      css_class, x, y, anchor, size, css_class == "sp-dim" ? "#57606a" : "#1f2328",
      size == kTitleSize ? " font-weight=\"600\"" : "", rotate, EscapeMarkup(text));
}

std::string PlotStyle() {
  std::string css =
      ".sp-paper{fill:#15191f}.sp-ink{fill:#e6e9ee}.sp-dim{fill:#a8b1bd}"
      ".sp-grid{stroke:#2b323b}.sp-axis{stroke:#7d8793}";
  for (size_t i = 0; i < kPlotColors; ++i) {
    css += fmt::format(".sp-s{0}{{stroke:{1}}}.sp-f{0}{{fill:{1}}}", i, kDark[i]);
  }
  return fmt::format("<style>@media (prefers-color-scheme:dark){{{}}}</style>\n", css);
}

PlotFrame DrawFrame(const Plot& plot) {
  PlotFrame frame;
  ChooseAxes(plot, frame);
  frame.svg = PlotText(kMargin, 26, "start", Shorten(plot.title, 68), "sp-ink", kTitleSize);
  double y = plot.title.empty() ? 6 : 28;
  frame.svg += Legend(plot, y);
  frame.top = y + 20;

  double widest = 0;
  for (const double tick : frame.y.ticks) {
    widest = std::max(widest, TextWidth(frame.y.Label(tick), kTickSize));
  }
  frame.left = kMargin + widest + 10 + (plot.y_label.empty() ? 0 : 18);
  // A logarithmic axis has a label at its very end.
  frame.right = kPlotWidth - kMargin - (plot.logarithmic ? 12 : 0);

  CategoryStyle categories;
  if (plot.bars) {
    const double slot = (frame.right - frame.left) / static_cast<double>(plot.categories.size());
    categories = ChooseCategoryStyle(plot, slot);
    frame.left = std::max(frame.left, categories.overhang - slot / 2 + kMargin / 2);
  }
  const double below = categories.depth + (plot.x_label.empty() ? 12 : 32);
  frame.height = kPlotHeight + std::max(0.0, below - 90);
  frame.bottom = frame.height - below;

  frame.x.from = frame.left;
  frame.x.to = frame.right;
  frame.y.from = frame.bottom;
  frame.y.to = frame.top;
  frame.svg += DrawTicks(plot, frame);
  if (plot.bars) frame.svg += DrawCategories(plot, categories, frame);
  frame.svg += PlotText((frame.left + frame.right) / 2, frame.height - 14, "middle", plot.x_label,
                        "sp-ink", kTickSize);
  frame.svg += PlotText(kMargin + 6, (frame.top + frame.bottom) / 2, "middle", plot.y_label,
                        "sp-ink", kTickSize, -90);
  return frame;
}

}  // namespace sparsify
