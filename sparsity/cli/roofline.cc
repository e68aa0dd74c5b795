#include "sparsity/cli/roofline.h"

#include <fmt/format.h>

#include <algorithm>

#include "sparsity/allocation/csv_rows.h"

namespace sparsify {
namespace {

std::string ThreadsText(const std::string& threads) {
  return threads + (threads == "1" ? " thread" : " threads");
}

/// The positive number in a cell, or 0.
double Positive(const std::string& cell) { return std::max(0.0, ParseCell(cell).value_or(0)); }

/// The two ceilings, from left of the leftmost dot to right of the rightmost, their corner shown.
std::vector<Series> Ceilings(double least, double most, double gflops, double bandwidth) {
  const double corner = gflops / bandwidth;
  const double left = std::min(least, corner) / 2;
  const double right = std::max(most, corner) * 2;
  return {{fmt::format("memory: {:.1f} GB/s", bandwidth),
           {{left, bandwidth * left}, {corner, gflops}},
           SeriesStyle::kLine},
          {fmt::format("arithmetic: {:.1f} GFLOP/s", gflops),
           {{corner, gflops}, {right, gflops}},
           SeriesStyle::kLine}};
}

}  // namespace

Plot RooflinePlot(const CsvTable& layers, double gflops, double gigabytes_per_second,
                  const std::string& title) {
  Plot plot;
  plot.title = title;
  plot.x_label = "FLOP/byte";
  plot.y_label = "GFLOP/s";
  plot.logarithmic = true;
  Series sparse = {"sparse kernels", {}, SeriesStyle::kDots};
  Series dense = {"dense kernels", {}, SeriesStyle::kDots};
  double least = 0;
  double most = 0;
  for (const auto& row : layers.rows) {
    const double rate = Positive(row[layers.Column("gflops")]);
    const double intensity = Positive(row[layers.Column("flop_per_byte")]);
    if (rate <= 0 || intensity <= 0) continue;
    const std::string& kernel = row[layers.Column("kernel")];
    Series& series = kernel.starts_with("sparse ") ? sparse : dense;
    series.points.emplace_back(intensity, rate);
    series.names.push_back(fmt::format("{}\n{}", row[layers.Column("layer")], kernel));
    least = least > 0 ? std::min(least, intensity) : intensity;
    most = std::max(most, intensity);
  }
  if (most <= 0 || gflops <= 0 || gigabytes_per_second <= 0) return plot;
  plot.series = {std::move(sparse), std::move(dense)};
  for (Series& line : Ceilings(least, most, gflops, gigabytes_per_second)) {
    plot.series.push_back(std::move(line));
  }
  return plot;
}

std::vector<Plot> RooflinePlots(const CsvTable& layers, const CsvTable& speedup) {
  std::vector<Plot> plots;
  std::vector<std::string> done;
  const size_t level_column = speedup.Column("sparsity");
  for (const auto& row : speedup.rows) {
    const std::string& level = row[level_column];
    if (std::find(done.begin(), done.end(), level) != done.end()) continue;
    done.push_back(level);
    const CsvTable of_level = RowsWhere(layers, "sparsity", level);
    const std::string title =
        fmt::format("Roofline, {}: batch {}, {}, {}", level == "0" ? "dense" : level + " %",
                    row[speedup.Column("batch")], ThreadsText(row[speedup.Column("threads")]),
                    row[speedup.Column("isa")]);
    Plot plot = RooflinePlot(of_level, Positive(row[speedup.Column("peak_gflops")]),
                             Positive(row[speedup.Column("peak_GB_per_s")]), title);
    if (!plot.series.empty()) plots.push_back(std::move(plot));
  }
  return plots;
}

std::vector<std::vector<std::string>> PeakRows(const CsvTable& speedup) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : speedup.rows) {
    const std::string name = fmt::format("peak, {}, {}", row[speedup.Column("isa")],
                                         ThreadsText(row[speedup.Column("threads")]));
    const auto known =
        std::any_of(rows.begin(), rows.end(), [&](const auto& other) { return other[0] == name; });
    if (known || Positive(row[speedup.Column("peak_gflops")]) <= 0) continue;
    rows.push_back({name, fmt::format("{} GFLOP/s, {} GB/s", row[speedup.Column("peak_gflops")],
                                      row[speedup.Column("peak_GB_per_s")])});
  }
  return rows;
}

}  // namespace sparsify
