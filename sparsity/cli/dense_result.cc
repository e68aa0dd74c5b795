#include "sparsity/cli/dense_result.h"

#include <charconv>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

template <class T>
T ParseNumber(const std::string& cell, const std::string& path) {
  T value = {};
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size()) {
    Fail(path, "\"{}\", expected a number; remove the run's records folder to start anew", cell);
  }
  return value;
}

}  // namespace

void WriteDensePredictions(const std::vector<int64_t>& predictions, const Dataset& dataset,
                           const std::string& path) {
  CsvTable table = {{"image", "class"}, {}};
  for (size_t i = 0; i < predictions.size(); ++i) {
    table.rows.push_back(
        {dataset.NameOf(static_cast<int64_t>(i)), fmt::format("{}", predictions[i])});
  }
  WriteCsv(table, path);
}

DenseResult ReadDenseResult(const std::string& path, const CsvTable& accuracy,
                            const Dataset& dataset) {
  const CsvTable table = ReadCsv(path);
  if (static_cast<int64_t>(table.rows.size()) != dataset.size()) {
    Fail(path, "{} images, the data has {}; it changed since the run began", table.rows.size(),
         dataset.size());
  }
  if (accuracy.rows.empty()) Fail(path, "the dense network's record has no accuracy");
  DenseResult result;
  const size_t name = table.Column("image");
  const size_t column = table.Column("class");
  for (const auto& row : table.rows) {
    const std::string image = dataset.NameOf(std::ssize(result.predictions));
    if (row[name] != image) {
      Fail(path, "has \"{}\" where the data has \"{}\"; it changed since the run began", row[name],
           image);
    }
    result.predictions.push_back(ParseNumber<int64_t>(row[column], path));
  }
  result.top1 = ParseNumber<double>(accuracy.rows.front()[accuracy.Column("top1")], path);
  return result;
}

}  // namespace sparsify
