#include "sparsity/cli/run_identity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace sparsify {
namespace {

class Hasher {
 public:
  void Bytes(const void* data, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (size_t i = 0; i < size; ++i) state_ = (state_ ^ bytes[i]) * 0x100000001b3ULL;
  }
  void Text(std::string_view text) {
    Number(text.size());
    Bytes(text.data(), text.size());
  }
  void Number(uint64_t value) { Bytes(&value, sizeof value); }
  std::string Hex() const { return fmt::format("{:016x}", state_); }

 private:
  uint64_t state_ = 0xcbf29ce484222325ULL;
};

std::string FormatAttribute(const Attributes::Value& value) {
  return std::visit(
      [](const auto& v) {
        if constexpr (requires { v.begin(); } &&
                      !std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
          return fmt::format("[{}]", fmt::join(v, ","));
        } else {
          return fmt::format("{}", v);
        }
      },
      value);
}

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

}  // namespace

void RunIdentity::VisitFields(OptionVisitor& v) {
  v.Field("network", network, "hash of the network");
  v.Field("configuration", configuration, "resolved, without sweep and output");
}

RunIdentity IdentityOf(const RunConfig& config, const Graph& graph) {
  RunConfig same = config;
  same.sweep.clear();
  same.output = OutputOptions{};
  if (same.training) same.training->tensorboard = false;  // changes no result
  return {ResolvedConfig(same), HashGraph(graph)};
}

std::string DescribeDifference(const RunIdentity& before, const RunIdentity& now) {
  const auto old_lines = FlatLines(before.configuration);
  const auto new_lines = FlatLines(now.configuration);
  for (size_t i = 0; i < std::max(old_lines.size(), new_lines.size()); ++i) {
    const std::string old_line = i < old_lines.size() ? old_lines[i] : "(nothing)";
    const std::string new_line = i < new_lines.size() ? new_lines[i] : "(nothing)";
    if (old_line != new_line) return fmt::format("it had \"{}\", now \"{}\"", old_line, new_line);
  }
  return before.network == now.network ? "" : "the network in model.path has changed";
}

std::string HashGraph(const Graph& graph) {
  Hasher hasher;
  for (const Node& node : graph.nodes()) {
    hasher.Text(node.name);
    hasher.Number(static_cast<uint64_t>(node.type));
    for (const ValueId id : node.inputs) hasher.Number(static_cast<uint64_t>(id));
    for (const ValueId id : node.outputs) hasher.Number(static_cast<uint64_t>(id));
    for (const auto& [name, value] : node.attributes.all()) {
      hasher.Text(name);
      hasher.Text(FormatAttribute(value));
    }
  }
  for (const Value& value : graph.values()) {
    hasher.Text(value.name);
    if (!value.is_parameter) continue;
    hasher.Text(value.data.shape().ToString());
    hasher.Bytes(value.data.data(), static_cast<size_t>(value.data.size()) * sizeof(float));
  }
  return hasher.Hex();
}

}  // namespace sparsify
