#include "sparsity/allocation/table_allocation.h"

#include <algorithm>
#include <optional>

#include "sparsity/allocation/csv_rows.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/text.h"

namespace sparsify {
namespace {

std::optional<double> ParsePercent(const std::string& text) {
  const auto value = ParseCell(text);
  return value && *value >= 0 && *value <= 100 ? value : std::nullopt;
}

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
  if (path.empty()) FailUsage("allocation.table_file", "is empty; name a CSV layer,sparsity");
  CsvRows rows(path, "the allocation table", {"layer", "sparsity"});
  std::map<std::string, double> table;
  while (const auto row = rows.Next()) {
    const std::string& layer = row->at(0);
    const auto percent = ParsePercent(row->at(1));
    if (!percent) {
      FailUsage(rows.Where(), "sparsity \"{}\" is no percentage in 0 … 100", row->at(1));
    }
    if (!table.emplace(layer, *percent).second) {
      FailUsage(rows.Where(), "layer \"{}\" is given twice", layer);
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
