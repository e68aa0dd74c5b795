#include "sparsity/cli/table_rows.h"

#include <algorithm>
#include <utility>

#include "sparsity/allocation/csv_rows.h"
#include "sparsity/base/error.h"
#include "sparsity/base/text.h"

namespace sparsify {

TableRows::TableRows(std::string path, const std::vector<std::string>& columns)
    : path_(std::move(path)), table_(ReadCsv(path_)) {
  for (const std::string& column : columns) {
    const auto it = std::find(table_.header.begin(), table_.header.end(), column);
    if (it == table_.header.end()) Fail(path_, "no column \"{}\"", column);
  }
}

const std::string& TableRows::Text(size_t row, const std::string& column) const {
  return table_.rows[row][table_.Column(column)];
}

double TableRows::Number(size_t row, const std::string& column) const {
  const std::string& text = Text(row, column);
  const auto value = ParseCell(std::string(Trim(text)));
  if (!value) Fail(Where(row), "{} \"{}\" is no number", column, text);
  return *value;
}

double TableRows::Percent(size_t row, const std::string& column) const {
  const double value = Number(row, column);
  if (value < 0 || value > 100) {
    Fail(Where(row), "{} {} is no percentage in 0 … 100", column, value);
  }
  return value;
}

std::string TableRows::Where(size_t row) const { return fmt::format("{}: row {}", path_, row + 1); }

}  // namespace sparsify
