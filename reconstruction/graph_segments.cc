#include "reconstruction/graph_segments.h"

#include <algorithm>

#include "sparsity/ops/node_blocks.h"

namespace sparsify {
namespace {

bool IsActivation(const Graph& graph, ValueId id) {
  return id != kNoValue && !graph.value(id).is_parameter;
}

// The last node that reads each activation, or −1. That an activation is also an output of the
// graph does not keep it alive: it is carried nowhere.
std::vector<int> LastReaders(const Graph& graph) {
  std::vector<int> last(graph.values().size(), -1);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const ValueId id : graph.nodes()[i].inputs) {
      if (IsActivation(graph, id)) last[static_cast<size_t>(id)] = static_cast<int>(i);
    }
  }
  return last;
}

// The nodes after which at most one activation is still wanted.
std::vector<bool> Cuts(const Graph& graph) {
  const auto last = LastReaders(graph);
  std::vector<bool> cuts;
  std::vector<ValueId> live;
  for (const Port& port : graph.inputs) live.push_back(port.value);
  const int count = static_cast<int>(graph.nodes().size());
  for (int i = 0; i < count; ++i) {
    const auto& outputs = graph.node(i).outputs;
    std::copy_if(outputs.begin(), outputs.end(), std::back_inserter(live),
                 [](ValueId id) { return id != kNoValue; });
    std::erase_if(live, [&](ValueId id) { return last[static_cast<size_t>(id)] <= i; });
    cuts.push_back(live.size() <= 1 || i + 1 == count);
  }
  return cuts;
}

bool JoinsElementwise(const Node& node) {
  return node.type == OpType::kAdd || node.type == OpType::kMul;
}

Segment::Kind KindOf(const Graph& graph, const std::vector<int>& layer_of, int begin, int end) {
  int layers = 0;
  bool elementwise = true;
  for (int i = begin; i < end; ++i) {
    layers += layer_of[static_cast<size_t>(i)] >= 0 ? 1 : 0;
    const Node& node = graph.node(i);
    elementwise = elementwise && (IsElementwise(graph, node) || JoinsElementwise(node));
  }
  if (layers == 0) return elementwise ? Segment::Kind::kElementwise : Segment::Kind::kOther;
  if (end - begin == 1) return Segment::Kind::kLayer;
  const OpType join = graph.node(end - 1).type;
  if (join == OpType::kMul) return Segment::Kind::kGate;
  return join == OpType::kConcat ? Segment::Kind::kConcat : Segment::Kind::kRegion;
}

}  // namespace

bool IsElementwise(const Graph& graph, const Node& node) {
  if (node.type == OpType::kAdd || node.type == OpType::kMul) {
    return !std::all_of(node.inputs.begin(), node.inputs.end(),
                        [&](ValueId id) { return IsActivation(graph, id); });
  }
  return ActsOnElements(node.type);
}

int OnlyReader(const Graph& graph, const Node& node) {
  const ValueId output = node.outputs.at(0);
  const auto readers = graph.Consumers(output);
  return readers.size() == 1 && !graph.IsOutput(output) ? readers[0] : -1;
}

std::vector<Segment> FindSegments(const Graph& graph, const std::vector<int>& layer_of) {
  const auto cuts = Cuts(graph);
  std::vector<Segment> segments;
  int begin = 0;
  for (int i = 0; i < static_cast<int>(cuts.size()); ++i) {
    if (!cuts[static_cast<size_t>(i)]) continue;
    segments.push_back({KindOf(graph, layer_of, begin, i + 1), begin, i + 1});
    begin = i + 1;
  }
  return segments;
}

}  // namespace sparsify
