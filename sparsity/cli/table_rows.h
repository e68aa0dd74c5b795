// Cells of a CSV file by row and column name, checked as they are read.
#pragma once

#include <string>
#include <vector>

#include "sparsity/report/csv.h"

namespace sparsify {

/// Columns may stand in any order, with others between them. Errors say "FILE: row 3: …", the
/// header not counted.
class TableRows {
 public:
  /// Throws Error when the file cannot be read, is no CSV, or lacks one of the columns.
  TableRows(std::string path, const std::vector<std::string>& columns);

  size_t size() const { return table_.rows.size(); }
  const std::string& Text(size_t row, const std::string& column) const;
  /// A finite number in the C locale, white space around it allowed; throws Error otherwise.
  double Number(size_t row, const std::string& column) const;
  /// The same within 0 … 100.
  double Percent(size_t row, const std::string& column) const;
  /// "FILE: row 3" for the row of index 2.
  std::string Where(size_t row) const;

 private:
  std::string path_;
  CsvTable table_;
};

}  // namespace sparsify
