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

std::string FormatCsv(const CsvTable& table);
void WriteCsv(const CsvTable& table, const std::string& path);
/// Throws Error with path and line on ragged rows or an open quote.
CsvTable ReadCsv(const std::string& path);

/// The table aligned for a terminal, numbers to the right; no colours, no wide characters.
std::string FormatConsoleTable(const CsvTable& table);

}  // namespace sparsify
