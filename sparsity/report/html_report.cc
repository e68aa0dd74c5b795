#include "sparsity/report/html_report.h"

#include <fmt/format.h>

#include <string_view>

#include "sparsity/base/file.h"
#include "sparsity/report/markup.h"

namespace sparsify {
namespace {

// The page may not run or fetch anything, whatever a layer is called.
constexpr std::string_view kPolicy = "default-src 'none'; style-src 'unsafe-inline'";

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --dim: #57606a;
  --line: #d8dde3; --soft: #f5f7f9; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15191f; --ink: #e6e9ee; --dim: #a8b1bd; --line: #323a44;
    --soft: #1c2129; --accent: #58a9e6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
header { border-bottom: 3px solid var(--accent); padding-bottom: 1rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
.subtitle { color: var(--dim); margin: .4rem 0 0; overflow-wrap: anywhere; }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .95rem; }
nav a { color: var(--accent); text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { margin-top: 2.5rem; }
h2 { font-size: 1.3rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
p { margin: 0 0 .8rem; max-width: 46rem; overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
  gap: 1rem; margin: 1rem 0; align-items: start; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden;
  max-width: 46rem; }
svg { display: block; width: 100%; height: auto; }
.caption { font-weight: 600; margin: 1.4rem 0 .4rem; }
.table { overflow: auto; max-height: 40rem; border: 1px solid var(--line); border-radius: 8px;
  width: fit-content; max-width: 100%; margin-bottom: 1rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .875rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { position: sticky; top: 0; background: var(--soft); font-weight: 600; white-space: nowrap; }
td { white-space: pre-wrap; overflow-wrap: break-word; max-width: 36rem; }
tr:last-child td { border-bottom: 0; }
tbody tr:hover td { background: var(--soft); }
.number { text-align: right; white-space: nowrap; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 8px;
  padding: 1rem; overflow: auto; max-height: 40rem; font-size: .82rem; line-height: 1.45; }
@media print { .table, pre { overflow: visible; max-height: none; } main { max-width: none; }
  section { break-inside: auto; } figure, tr { break-inside: avoid; } nav { display: none; } }
)css";

std::string Paragraphs(std::string_view text) {
  std::string html;
  while (!text.empty()) {
    const size_t end = text.find("\n\n");
    const std::string_view paragraph = text.substr(0, end);
    if (paragraph.find_first_not_of(" \n") != std::string_view::npos) {
      html += fmt::format("<p>{}</p>\n", EscapeMarkup(paragraph));
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return html;
}

std::string TableRow(const std::vector<std::string>& cells, std::string_view element,
                     const std::vector<bool>& numeric) {
  std::string html = "<tr>";
  for (size_t c = 0; c < cells.size(); ++c) {
    const bool number = c < numeric.size() && numeric[c];
    html += fmt::format("<{0}{1}>{2}</{0}>", element, number ? " class=\"number\"" : "",
                        EscapeMarkup(cells[c]));
  }
  return html + "</tr>\n";
}

std::string Table(const std::string& caption, const CsvTable& table) {
  std::vector<bool> numeric;
  for (size_t c = 0; c < table.header.size(); ++c) numeric.push_back(IsNumericColumn(table, c));
  std::string html;
  if (!caption.empty()) html += fmt::format("<p class=\"caption\">{}</p>\n", EscapeMarkup(caption));
  html += "<div class=\"table\"><table>\n<thead>" + TableRow(table.header, "th", numeric);
  html += "</thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) html += TableRow(row, "td", numeric);
  return html + "</tbody>\n</table></div>\n";
}

std::string Section(const ReportSection& section, size_t number) {
  std::string html = fmt::format("<section id=\"s{}\">\n", number);
  if (!section.heading.empty()) {
    html += fmt::format("<h2>{}</h2>\n", EscapeMarkup(section.heading));
  }
  html += Paragraphs(section.text);
  if (!section.plots.empty()) {
    html += "<div class=\"plots\">\n";
    for (const Plot& plot : section.plots) {
      html += "<figure>\n" + RenderSvg(plot) + "</figure>\n";
    }
    html += "</div>\n";
  }
  for (const auto& [caption, table] : section.tables) html += Table(caption, table);
  if (!section.preformatted.empty()) {
    html += fmt::format("<pre>{}</pre>\n", EscapeMarkup(section.preformatted));
  }
  return html + "</section>\n";
}

std::string Navigation(const Report& report) {
  if (report.sections.size() < 3) return "";
  std::string html = "<nav>";
  for (size_t i = 0; i < report.sections.size(); ++i) {
    const std::string& heading = report.sections[i].heading;
    if (heading.empty()) continue;
    html += fmt::format("<a href=\"#s{}\">{}</a>\n", i + 1, EscapeMarkup(heading));
  }
  return html + "</nav>\n";
}

}  // namespace

std::string RenderHtml(const Report& report) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{}</h1>\n",
      kPolicy, EscapeMarkup(report.title), kStyle, EscapeMarkup(report.title));
  if (!report.subtitle.empty()) {
    html += fmt::format("<p class=\"subtitle\">{}</p>\n", EscapeMarkup(report.subtitle));
  }
  html += Navigation(report) + "</header>\n";
  for (size_t i = 0; i < report.sections.size(); ++i) html += Section(report.sections[i], i + 1);
  return html + "</main>\n</body>\n</html>\n";
}

void WriteHtml(const Report& report, const std::string& path) {
  WriteFileAtomically(path, RenderHtml(report));
}

}  // namespace sparsify
