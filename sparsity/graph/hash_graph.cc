#include "sparsity/graph/hash_graph.h"

#include "sparsity/base/hash.h"

namespace sparsify {

std::string HashGraph(const Graph& graph) {
  Fnv1a hasher;
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
    hasher.Floats(value.data.values());
  }
  return hasher.Hex();
}

}  // namespace sparsify
