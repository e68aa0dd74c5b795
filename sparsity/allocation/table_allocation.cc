#include "sparsity/allocation/table_allocation.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

// One line of RFC 4180 without line breaks inside quotes; nothing when a quote stays open.
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

std::optional<double> ParsePercent(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  if (!(in >> value) || !in.eof() || !(value >= 0 && value <= 100)) return std::nullopt;
  return value;
}

// The rows of one file, with the place of each in messages.
class TableReader {
 public:
  explicit TableReader(const std::string& path) : path_(path), in_(path) {
    if (path.empty()) FailUsage("allocation.table_file", "is empty; name a CSV layer,sparsity");
    if (!in_) FailUsage(path, "cannot be opened; the allocation table is read from it");
    const auto header = NextRow();
    if (!header) FailUsage(path, "is empty; its first line must name layer and sparsity");
    columns_ = header->size();
    layer_column_ = FindColumn(*header, "layer");
    sparsity_column_ = FindColumn(*header, "sparsity");
  }

  /// Layer and percentage of the next row, or nothing at the end.
  std::optional<std::pair<std::string, double>> Next() {
    const auto row = NextRow();
    if (!row) return std::nullopt;
    if (row->size() != columns_) {
      FailUsage(Where(), "has {} cells, the header has {}", row->size(), columns_);
    }
    const std::string& text = (*row)[sparsity_column_];
    const auto percent = ParsePercent(text);
    if (!percent) FailUsage(Where(), "sparsity \"{}\" is no percentage in 0 … 100", text);
    return std::pair((*row)[layer_column_], *percent);
  }

  std::string Where() const { return fmt::format("{}:{}", path_, line_); }

 private:
  std::optional<std::vector<std::string>> NextRow() {
    for (std::string line; std::getline(in_, line);) {
      ++line_;
      const std::string_view text = Trim(line);
      if (text.empty() || text.front() == '#') continue;
      auto cells = SplitCsvLine(line);
      if (!cells) FailUsage(Where(), "a quote is not closed");
      return cells;
    }
    return std::nullopt;
  }

  size_t FindColumn(const std::vector<std::string>& header, std::string_view name) const {
    const auto it = std::find(header.begin(), header.end(), name);
    if (it == header.end()) {
      FailUsage(Where(), "no column \"{}\"; the header must name layer and sparsity", name);
    }
    return static_cast<size_t>(it - header.begin());
  }

  std::string path_;
  std::ifstream in_;
  int line_ = 0;
  size_t columns_ = 0;
  size_t layer_column_ = 0;
  size_t sparsity_column_ = 0;
};

void CheckUnit(const std::map<std::string, double>& table, const std::string& path) {
  double largest = 0;
  for (const auto& [layer, percent] : table) largest = std::max(largest, percent);
  if (largest > 0 && largest <= 1) {
    FailUsage(path, "no sparsity is above {}: these are fractions, the table is in percent",
              largest);
  }
}

}  // namespace

std::map<std::string, double> ReadSparsityTable(const std::string& path) {
  TableReader reader(path);
  std::map<std::string, double> table;
  while (const auto row = reader.Next()) {
    if (!table.insert(*row).second) {
      FailUsage(reader.Where(), "layer \"{}\" is given twice", row->first);
    }
  }
  CheckUnit(table, path);
  return table;
}

void AllocateFromTable(const std::vector<Layer>& layers, const std::string& path,
                       std::vector<LayerTarget>& targets) {
  const auto table = ReadSparsityTable(path);
  std::vector<std::string> known;
  for (const Layer& layer : layers) known.push_back(layer.name);
  for (const auto& [name, percent] : table) {
    const int at = FindLayer(layers, name);
    if (at < 0) {
      FailUsage(path, "the network has no layer \"{}\"{}", name, DidYouMean(name, known));
    }
    const std::string& skipped = targets[static_cast<size_t>(at)].skipped;
    if (!skipped.empty() && percent > 0) {
      Warn("{}: layer \"{}\" stays dense, {}", path, name, skipped);
    }
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!targets[i].skipped.empty()) continue;
    const auto row = table.find(layers[i].name);
    if (row == table.end()) {
      targets[i].skipped = "not in the allocation table";
    } else {
      targets[i].sparsity = row->second / 100;
    }
  }
}

}  // namespace sparsify
