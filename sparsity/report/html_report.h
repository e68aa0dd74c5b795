// report.html: one self-contained file (no scripts, no links to elsewhere) with tables and
// SVG pictures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sparsity/report/csv.h"

namespace sparsify {

/// One curve of a line plot.
struct Series {
  std::string label;
  std::vector<std::pair<double, double>> points;  // finite, in drawing order
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<Series> series;
  bool bars = false;  // draw vertical bars with `categories` as x labels
  std::vector<std::string> categories;
};

/// A standalone <svg> element, legible at 640×400, with axes, ticks, grid and legend.
std::string RenderSvg(const Plot& plot);

/// A report section: heading, a paragraph, pictures, tables, preformatted text; any may be empty.
struct ReportSection {
  std::string heading;
  std::string text;
  std::vector<Plot> plots;
  std::vector<std::pair<std::string, CsvTable>> tables;  // caption, table
  std::string preformatted;
};

struct Report {
  std::string title;
  std::string subtitle;
  std::vector<ReportSection> sections;
};

std::string RenderHtml(const Report& report);
void WriteHtml(const Report& report, const std::string& path);

/// Processor, core count, instruction sets, memory, operating system, compiler and library
/// versions, as name/value rows. No host names, no user names, no paths.
CsvTable MachineTable();

}  // namespace sparsify
