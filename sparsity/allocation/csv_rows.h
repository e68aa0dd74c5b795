// Rows of the CSV files that allocation reads and writes, with the place of each in messages.
#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparsify {

/// Reads the named columns of a CSV file with a header; other columns are ignored. Blank lines
/// and lines that start with # are skipped. Every problem is a usage Error "file:line: …".
class CsvRows {
 public:
  /// `what` completes "cannot be opened; … is read from it".
  CsvRows(std::string path, std::string_view what, std::vector<std::string> columns);

  /// The next row's cells in the order of `columns`, or nothing at the end. Throws on a ragged
  /// row and on a quote that is not closed.
  std::optional<std::vector<std::string>> Next();

  /// "file:12", the row that Next returned last.
  std::string Where() const;

 private:
  std::optional<std::vector<std::string>> NextLine();

  std::string path_;
  std::ifstream in_;
  std::vector<std::string> columns_;
  std::vector<size_t> positions_;  // of `columns_` in the file
  size_t cells_ = 0;
  int line_ = 0;
};

/// A number in the C locale that fills the cell, or nothing; "nan" and "inf" are not numbers.
std::optional<double> ParseCell(const std::string& cell);

/// The number in a cell of the row that was read last; a usage Error that names `column` unless it
/// is in min … max.
double NumberCell(const CsvRows& rows, const std::string& cell, std::string_view column, double min,
                  double max);

/// `text` as a cell: in quotes where it holds a comma, a quote or a line end.
std::string QuoteCell(const std::string& text);

}  // namespace sparsify
