#include "sparsity/allocation/csv_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

constexpr size_t kMaxRecord = 1 << 16;

// One record of RFC 4180; nothing when a quote stays open.
std::optional<std::vector<std::string>> SplitCsvLine(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        cells.back() += line[i++];
      else
        quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  if (quoted) return std::nullopt;
  for (std::string& cell : cells) cell = std::string(Trim(cell));
  return cells;
}

// "a, b and c".
std::string Enumerate(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    text += (i == 0 ? "" : (last ? " and " : ", ")) + names[i];
  }
  return text;
}

}  // namespace

CsvRows::CsvRows(std::string path, std::string_view what, std::vector<std::string> columns)
    : path_(std::move(path)), in_(path_), columns_(std::move(columns)) {
  if (!in_) FailUsage(path_, "cannot be opened; {} is read from it", what);
  const std::string names = Enumerate(columns_);
  const auto header = NextLine();
  if (!header) FailUsage(path_, "is empty; its first line must name {}", names);
  cells_ = header->size();
  for (const std::string& column : columns_) {
    const auto it = std::find(header->begin(), header->end(), column);
    if (it == header->end()) {
      FailUsage(Where(), "no column \"{}\"; the header must name {}", column, names);
    }
    positions_.push_back(static_cast<size_t>(it - header->begin()));
  }
}

std::optional<std::vector<std::string>> CsvRows::Next() {
  const auto line = NextLine();
  if (!line) return std::nullopt;
  if (line->size() != cells_) {
    FailUsage(Where(), "has {} cells, the header has {}", line->size(), cells_);
  }
  std::vector<std::string> row;
  for (const size_t position : positions_) row.push_back((*line)[position]);
  return row;
}

std::string CsvRows::Where() const { return fmt::format("{}:{}", path_, line_); }

std::optional<std::vector<std::string>> CsvRows::NextLine() {
  for (std::string line; std::getline(in_, line);) {
    ++line_;
    const std::string_view text = Trim(line);
    if (text.empty() || text.front() == '#') continue;
    const std::string where = Where();
    std::string record = line;
    for (auto cells = SplitCsvLine(record);; cells = SplitCsvLine(record)) {
      if (cells) return cells;
      if (record.size() > kMaxRecord || !std::getline(in_, line)) {
        FailUsage(where, "a quote is not closed");
      }
      ++line_;
      record += '\n' + line;  // within quotes
    }
  }
  return std::nullopt;
}

std::optional<double> ParseCell(const std::string& cell) {
  double value = 0;
  const char* end = cell.data() + cell.size();
  const auto [stop, error] = std::from_chars(cell.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

double NumberCell(const CsvRows& rows, const std::string& cell, std::string_view column, double min,
                  double max) {
  const auto value = ParseCell(cell);
  if (!value || *value < min || *value > max) {
    FailUsage(rows.Where(), "{} \"{}\" is no number in {} … {:g}", column, cell, min, max);
  }
  return *value;
}

std::string QuoteCell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace sparsify
