#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "sparsity/report/csv.h"

namespace sparsify {
namespace {

bool IsNumber(const std::string& cell) {
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  return !cell.empty() && *end == '\0';
}

// Code points, which is columns for text without wide or combining characters.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// A layer name from a hostile file must not move the cursor.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string Cell(const std::vector<std::string>& row, size_t column) {
  return column < row.size() ? Printable(row[column]) : "";
}

std::string Padded(const std::string& text, size_t width, bool right) {
  const std::string blanks(width - std::min(width, Width(text)), ' ');
  return right ? blanks + text : text + blanks;
}

}  // namespace

bool IsNumericColumn(const CsvTable& table, size_t column) {
  bool filled = false;
  for (const std::vector<std::string>& row : table.rows) {
    if (column >= row.size() || row[column].empty() || row[column] == "-") continue;
    if (!IsNumber(row[column])) return false;
    filled = true;
  }
  return filled;
}

std::string FormatConsoleTable(const CsvTable& table) {
  const size_t columns = table.header.size();
  std::vector<size_t> widths(columns);
  std::vector<bool> right(columns);
  for (size_t c = 0; c < columns; ++c) {
    widths[c] = Width(Cell(table.header, c));
    for (const auto& row : table.rows) widths[c] = std::max(widths[c], Width(Cell(row, c)));
    right[c] = IsNumericColumn(table, c);
  }
  std::string text;
  const auto append_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      line += (c == 0 ? "" : "  ") + Padded(cell_of(c), widths[c], right[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  append_line([&](size_t c) { return Cell(table.header, c); });
  append_line([&](size_t c) { return std::string(widths[c], '-'); });
  for (const auto& row : table.rows) {
    append_line([&](size_t c) { return Cell(row, c); });
  }
  return text;
}

}  // namespace sparsify
