#include "sparsity/cli/run_identity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <vector>

#include "sparsity/base/file.h"
#include "sparsity/base/hash.h"
#include "sparsity/graph/hash_graph.h"

namespace sparsify {
namespace {

/// Where things are kept while they are computed changes no result, nor does what happens to images
/// that cannot be read where all could.
bool ChangesNothing(std::string_view line) {
  constexpr std::array<std::string_view, 3> kKeys = {".memory_limit:", ".keep_gpu:", ".cache_mb:"};
  const std::string_view key = line.substr(0, line.find(' '));
  return (key.starts_with("data.") && key.ends_with(".on_error:")) ||
         std::any_of(kKeys.begin(), kKeys.end(),
                     [&](std::string_view ending) { return key.ends_with(ending); });
}

/// "a.b.c: value" for each line of resolved YAML that has a value and a say in the results.
std::vector<std::string> FlatLines(const std::string& yaml) {
  std::istringstream stream(yaml);
  std::vector<std::string> path;
  std::vector<std::string> flat;
  for (std::string line; std::getline(stream, line);) {
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    path.resize(std::min(indent / 2, path.size()));
    path.push_back(line.substr(indent, colon - indent));
    if (colon + 1 == line.size()) continue;
    flat.push_back(fmt::format("{}:{}", fmt::join(path, "."), line.substr(colon + 1)));
    if (ChangesNothing(flat.back())) flat.pop_back();
  }
  return flat;
}

std::string HashOf(const std::vector<const Dataset*>& data) {
  Fnv1a hash;
  for (const Dataset* dataset : data) {
    const int64_t size = dataset == nullptr ? 0 : dataset->size();
    hash.Number(static_cast<uint64_t>(size));
    for (int64_t i = 0; i < size; ++i) {
      hash.Text(dataset->NameOf(i));
      hash.Number(static_cast<uint64_t>(dataset->LabelOf(i)));
    }
  }
  return data.empty() ? "" : hash.Hex();
}

std::string HashOfTables(const AllocationOptions& allocation) {
  constexpr int64_t kMostBytes = 1 << 28;
  Fnv1a hash;
  bool any = false;
  for (const std::string& path :
       {allocation.table_file, allocation.curves_file, allocation.times_file}) {
    std::error_code none;
    if (path.empty() || !std::filesystem::is_regular_file(path, none)) continue;
    hash.Text(ReadFile(path, kMostBytes));
    any = true;
  }
  return any ? hash.Hex() : "";
}

bool OneGoesOn(const std::vector<double>& a, const std::vector<double>& b) {
  const size_t both = std::min(a.size(), b.size());
  return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(both), b.begin());
}

}  // namespace

void RunIdentity::VisitFields(OptionVisitor& v) {
  v.Field("network", network, "hash of the network");
  v.Field("data", data, "hash of the names and labels of all samples");
  v.Field("tables", tables, "hash of the allocation's files");
  v.Field("stages", stages, "percent, each from the one before");
  v.Field("configuration", configuration, "resolved, without sweep and output");
}

RunIdentity IdentityOf(const RunConfig& config, const Graph& graph,
                       const std::vector<const Dataset*>& data, const std::vector<double>& stages) {
  RunConfig same = config;
  same.sweep.clear();
  same.output = OutputOptions{};
  if (same.training) same.training->tensorboard = false;  // changes no result
  return {ResolvedConfig(same), HashGraph(graph), HashOf(data),
          HashOfTables(config.sparsity.allocation), stages};
}

std::string DescribeDifference(const RunIdentity& before, const RunIdentity& now) {
  const auto old_lines = FlatLines(before.configuration);
  const auto new_lines = FlatLines(now.configuration);
  for (size_t i = 0; i < std::max(old_lines.size(), new_lines.size()); ++i) {
    const std::string old_line = i < old_lines.size() ? old_lines[i] : "(nothing)";
    const std::string new_line = i < new_lines.size() ? new_lines[i] : "(nothing)";
    if (old_line != new_line) return fmt::format("it had \"{}\", now \"{}\"", old_line, new_line);
  }
  if (before.network != now.network) return "the network in model.path has changed";
  if (!before.data.empty() && before.data != now.data) {
    return "the images or labels of a dataset have changed";
  }
  if (!before.tables.empty() && before.tables != now.tables) {
    return "a file of sparsity.allocation (table_file, curves_file or times_file) has changed";
  }
  if (OneGoesOn(before.stages, now.stages)) return "";
  return fmt::format("each sparsity starts from the one before, and it had {} %, now {} %",
                     fmt::join(before.stages, ", "), fmt::join(now.stages, ", "));
}

}  // namespace sparsify
