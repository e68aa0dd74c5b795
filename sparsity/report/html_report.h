// report.html: one self-contained file (no scripts, no links to elsewhere) with tables and
// SVG pictures.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sparsity/report/csv.h"
#include "sparsity/report/machine.h"  // IWYU pragma: export
#include "sparsity/report/svg.h"      // IWYU pragma: export

namespace sparsify {

/// A report section: heading, a paragraph, pictures, tables, preformatted text; any may be empty.
struct ReportSection {
  std::string heading;
  std::string text;  // blank lines separate paragraphs
  std::vector<Plot> plots;
  std::vector<std::pair<std::string, CsvTable>> tables;  // caption, table
  std::string preformatted;
};

struct Report {
  std::string title;
  std::string subtitle;
  std::vector<ReportSection> sections;
};

/// The page as text: valid HTML 5 that is also well-formed XML. Every string is escaped.
std::string RenderHtml(const Report& report);
void WriteHtml(const Report& report, const std::string& path);

}  // namespace sparsify
