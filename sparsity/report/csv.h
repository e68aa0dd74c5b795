// CSV tables (RFC 4180, '.' decimals, LF) written atomically, and read back.
#pragma once

#include <string>
#include <vector>

namespace sparsify {

struct CsvTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;

  /// Index of a column; throws Error naming the table's columns.
  size_t Column(const std::string& name) const;
};

/// The named columns of `table`, in the order asked for. Throws Error on an unknown one.
CsvTable SelectColumns(const CsvTable& table, const std::vector<std::string>& columns);
/// The rows of `table` that have `value` in `column`. Throws Error on an unknown one.
CsvTable RowsWhere(const CsvTable& table, const std::string& column, const std::string& value);

/// Throws Error on a row whose length differs from the header's.
std::string FormatCsv(const CsvTable& table);
void WriteCsv(const CsvTable& table, const std::string& path);
/// Quoted fields may contain commas, quotes and line ends; CRLF is read like LF and blank
/// lines are passed over. Throws Error with path and line on ragged rows or an open quote.
CsvTable ReadCsv(const std::string& path);

/// True when every filled cell of the column is a number, and one is. "-" is not filled.
bool IsNumericColumn(const CsvTable& table, size_t column);

/// The table aligned for a terminal, numbers to the right; no colours, no wide characters.
/// Control characters in cells are shown as '?'.
std::string FormatConsoleTable(const CsvTable& table);

}  // namespace sparsify
