#include "sparsity/report/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxBytes = 1'000'000'000;

void AppendField(const std::string& field, bool alone, std::string& text) {
  const bool quote =
      field.find_first_of(",\"\r\n") != std::string::npos || (alone && field.empty());
  if (!quote) {
    text += field;
    return;
  }
  text += '"';
  for (const char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

void AppendRow(const std::vector<std::string>& row, std::string& text) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (i > 0) text += ',';
    AppendField(row[i], row.size() == 1, text);
  }
  text += '\n';
}

// Takes rows off the front of a text, counting lines.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& path) : rest_(text), path_(path) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
  }

  /// The next row and the line it starts in; false at the end.
  bool Next(std::vector<std::string>& row, int64_t& line) {
    while (TakeLineEnd()) {
    }
    if (rest_.empty()) return false;
    line = line_;
    row.assign(1, TakeField());
    while (!rest_.empty() && !TakeLineEnd()) {
      if (rest_.front() != ',') Fail(Where(line_), "text after a closing quote");
      rest_.remove_prefix(1);
      row.push_back(TakeField());
    }
    return true;
  }

  std::string Where(int64_t line) const { return fmt::format("{}:{}", path_, line); }

 private:
  bool TakeLineEnd() {
    const size_t length = rest_.starts_with("\r\n") ? 2 : (rest_.starts_with('\n') ? 1 : 0);
    rest_.remove_prefix(length);
    if (length > 0) ++line_;
    return length > 0;
  }

  std::string TakeField() {
    if (rest_.starts_with('"')) return TakeQuoted();
    std::string_view field = rest_.substr(0, rest_.find_first_of(",\n"));
    rest_.remove_prefix(field.size());
    if (field.ends_with('\r')) field.remove_suffix(1);
    return std::string(field);
  }

  std::string TakeQuoted() {
    const int64_t start = line_;
    std::string field;
    rest_.remove_prefix(1);
    while (true) {
      const size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) Fail(Where(start), "a quote is never closed");
      for (const char c : rest_.substr(0, quote)) line_ += c == '\n';
      field += rest_.substr(0, quote);
      rest_.remove_prefix(quote + 1);
      if (!rest_.starts_with('"')) return field;
      field += '"';
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
  std::string path_;
  int64_t line_ = 1;
};

}  // namespace

size_t CsvTable::Column(const std::string& name) const {
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i] == name) return i;
  }
  Fail("table", "no column \"{}\"; it has {}", name, fmt::join(header, ", "));
}

CsvTable SelectColumns(const CsvTable& table, const std::vector<std::string>& columns) {
  CsvTable selected = {columns, {}};
  std::vector<size_t> indices;
  for (const std::string& column : columns) indices.push_back(table.Column(column));
  for (const auto& row : table.rows) {
    auto& cells = selected.rows.emplace_back();
    for (const size_t index : indices) cells.push_back(row.at(index));
  }
  return selected;
}

CsvTable RowsWhere(const CsvTable& table, const std::string& column, const std::string& value) {
  CsvTable result = {table.header, {}};
  const size_t index = table.Column(column);
  for (const auto& row : table.rows) {
    if (row.at(index) == value) result.rows.push_back(row);
  }
  return result;
}

std::string FormatCsv(const CsvTable& table) {
  std::string text;
  AppendRow(table.header, text);
  for (const std::vector<std::string>& row : table.rows) {
    if (row.size() != table.header.size()) {
      Fail("table", "a row of {} fields under {} columns ({})", row.size(), table.header.size(),
           fmt::join(table.header, ", "));
    }
    AppendRow(row, text);
  }
  return text;
}

void WriteCsv(const CsvTable& table, const std::string& path) {
  WriteFileAtomically(path, FormatCsv(table));
}

CsvTable ReadCsv(const std::string& path) {
  const std::string text = ReadFile(path, kMaxBytes);
  CsvReader reader(text, path);
  CsvTable table;
  int64_t line = 0;
  if (!reader.Next(table.header, line)) Fail(path, "empty; expected a header line");
  std::vector<std::string> row;
  while (reader.Next(row, line)) {
    if (row.size() != table.header.size()) {
      Fail(reader.Where(line), "{} fields, the header has {}", row.size(), table.header.size());
    }
    table.rows.push_back(row);
  }
  return table;
}

}  // namespace sparsify
