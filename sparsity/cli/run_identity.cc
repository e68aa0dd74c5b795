#include "sparsity/cli/run_identity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "sparsity/base/hash.h"
#include "sparsity/graph/hash_graph.h"

namespace sparsify {
namespace {

/// "a.b.c: value" for each line of resolved YAML that has a value.
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

}  // namespace

void RunIdentity::VisitFields(OptionVisitor& v) {
  v.Field("network", network, "hash of the network");
  v.Field("data", data, "hash of the names and labels of all samples");
  v.Field("configuration", configuration, "resolved, without sweep and output");
}

RunIdentity IdentityOf(const RunConfig& config, const Graph& graph,
                       const std::vector<const Dataset*>& data) {
  RunConfig same = config;
  same.sweep.clear();
  same.output = OutputOptions{};
  if (same.training) same.training->tensorboard = false;  // changes no result
  return {ResolvedConfig(same), HashGraph(graph), HashOf(data)};
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
  if (before.data.empty() || before.data == now.data) return "";
  return "the images or labels of a dataset have changed";
}

}  // namespace sparsify
