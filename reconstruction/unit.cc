#include "reconstruction/unit.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "reconstruction/graph_segments.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr int kMaxChainedLayers = 3;

// Index of the layer at each node, or −1.
std::vector<int> LayerOfNodes(const Graph& graph, const std::vector<Layer>& layers) {
  std::vector<int> layer_of(graph.nodes().size(), -1);
  for (size_t i = 0; i < layers.size(); ++i) {
    layer_of.at(static_cast<size_t>(layers[i].node)) = static_cast<int>(i);
  }
  return layer_of;
}

void AddUnique(std::vector<ValueId>& ids, ValueId id) {
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

bool IsRead(const Graph& graph, ValueId id, const std::vector<int>& inside) {
  const auto readers = graph.Consumers(id);
  const bool outside = std::any_of(readers.begin(), readers.end(), [&](int reader) {
    return !std::binary_search(inside.begin(), inside.end(), reader);
  });
  return outside || graph.IsOutput(id) || readers.empty();
}

// Fills in everything that follows from the nodes.
Unit MakeUnit(const Graph& graph, const std::vector<Layer>& layers,
              const std::vector<int>& layer_of, std::vector<int> nodes) {
  std::sort(nodes.begin(), nodes.end());
  Unit unit;
  std::vector<ValueId> made;
  for (const int node : nodes) {
    if (layer_of[static_cast<size_t>(node)] >= 0) {
      unit.layers.push_back(layer_of[static_cast<size_t>(node)]);
    }
    for (const ValueId id : graph.node(node).inputs) {
      const bool given = id == kNoValue || graph.value(id).is_parameter;
      if (!given && std::find(made.begin(), made.end(), id) == made.end()) {
        AddUnique(unit.inputs, id);
      }
    }
    for (const ValueId id : graph.node(node).outputs) {
      if (id == kNoValue) continue;
      made.push_back(id);
      if (IsRead(graph, id, nodes)) unit.outputs.push_back(id);
    }
  }
  std::sort(unit.layers.begin(), unit.layers.end());
  unit.nodes = std::move(nodes);
  const auto name = [&](int layer) { return layers[static_cast<size_t>(layer)].name; };
  unit.name = name(unit.layers.front());
  if (unit.layers.size() > 1) unit.name += " … " + name(unit.layers.back());
  return unit;
}

// The layer's node and the element-wise operators that nothing else taps into.
std::vector<int> WithFollowers(const Graph& graph, int node) {
  std::vector<int> nodes = {node};
  while (true) {
    const int reader = OnlyReader(graph, graph.node(nodes.back()));
    if (reader < 0 || !IsElementwise(graph, graph.node(reader))) return nodes;
    nodes.push_back(reader);
  }
}

// Cuts the segments into groups of nodes, one group a block.
class BlockFinder {
 public:
  explicit BlockFinder(const Graph& graph) : graph_(graph) {}

  std::vector<std::vector<int>> Find(const std::vector<Segment>& segments) {
    for (const Segment& segment : segments) Take(segment);
    Close();
    if (!front_.empty()) Append(groups_.back(), front_);
    return std::move(groups_);
  }

 private:
  void Take(const Segment& segment) {
    switch (segment.kind) {
      case Segment::Kind::kElementwise:
        TakeElementwise(segment);
        break;
      case Segment::Kind::kOther:
        Append(front_, NodesOf(segment));
        break;
      case Segment::Kind::kLayer:
        TakeLayer(segment);
        break;
      case Segment::Kind::kGate:
        MoveFront();
        Append(chain_, NodesOf(segment));
        has_layer_ = activated_ = true;
        break;
      case Segment::Kind::kConcat:
      case Segment::Kind::kRegion:
        TakeRegion(segment);
        break;
    }
  }

  // Joins what it follows, unless something that is not element-wise lies between.
  void TakeElementwise(const Segment& segment) {
    const auto nodes = NodesOf(segment);
    if (!front_.empty() || (chain_.empty() && groups_.empty())) {
      Append(front_, nodes);
      return;
    }
    Append(chain_.empty() ? groups_.back() : chain_, nodes);
    activated_ = activated_ || std::any_of(nodes.begin(), nodes.end(), [&](int node) {
                   const OpType type = graph_.node(node).type;
                   return type != OpType::kBatchNormalization && type != OpType::kIdentity &&
                          type != OpType::kDropout && type != OpType::kAdd;
                 });
  }

  void TakeLayer(const Segment& segment) {
    if (chained_ >= kMaxChainedLayers || (has_layer_ && !activated_)) Close();
    MoveFront();
    last_layer_ = chain_.size() - last_front_;
    Append(chain_, NodesOf(segment));
    ++chained_;
    has_layer_ = true;
    activated_ = false;
  }

  // A fire module takes the layer that feeds both its branches out of the chain.
  void TakeRegion(const Segment& segment) {
    std::vector<int> feeder;
    const bool follows_layer = chained_ > 0 && front_.empty();
    if (segment.kind == Segment::Kind::kConcat && follows_layer) {
      const auto at = chain_.begin() + static_cast<int64_t>(last_layer_);
      feeder.assign(at, chain_.end());
      chain_.erase(at, chain_.end());
    }
    Close();
    Append(feeder, front_);
    front_.clear();
    Append(feeder, NodesOf(segment));
    groups_.push_back(std::move(feeder));
  }

  void MoveFront() {
    last_front_ = front_.size();
    Append(chain_, front_);
    front_.clear();
  }

  void Close() {
    if (!chain_.empty()) groups_.push_back(std::move(chain_));
    chain_.clear();
    chained_ = 0;
    has_layer_ = activated_ = false;
  }

  static std::vector<int> NodesOf(const Segment& segment) {
    std::vector<int> nodes(static_cast<size_t>(segment.end - segment.begin));
    std::iota(nodes.begin(), nodes.end(), segment.begin);
    return nodes;
  }
  static void Append(std::vector<int>& to, const std::vector<int>& nodes) {
    to.insert(to.end(), nodes.begin(), nodes.end());
  }

  const Graph& graph_;
  std::vector<std::vector<int>> groups_;
  std::vector<int> chain_;  // the open chain
  std::vector<int> front_;  // nodes that go with whatever layer comes next
  int chained_ = 0;         // layers of the open chain, gates not counted
  bool has_layer_ = false;
  bool activated_ = false;  // a non-linearity follows the chain's last layer
  size_t last_layer_ = 0;   // where the last layer's part of chain_ begins
  size_t last_front_ = 0;   // nodes in front of that layer
};

}  // namespace

std::string_view UnitPatternName(UnitPattern pattern) {
  switch (pattern) {
    case UnitPattern::kLayer:
      return "layer";
    case UnitPattern::kBlock:
      return "block";
    case UnitPattern::kIndependent:
      return "independent";
    case UnitPattern::kNetwork:
      break;
  }
  return "network";
}

UnitPattern UnitPatternFromName(std::string_view where, std::string_view name) {
  for (const UnitPattern pattern : {UnitPattern::kLayer, UnitPattern::kBlock,
                                    UnitPattern::kIndependent, UnitPattern::kNetwork}) {
    if (UnitPatternName(pattern) == name) return pattern;
  }
  FailUsage(where, "unknown unit \"{}\"; known: layer, block, independent, network", name);
}

std::vector<Unit> FindUnits(const Graph& graph, const std::vector<Layer>& layers,
                            UnitPattern pattern) {
  if (layers.empty()) {
    Fail(graph.name, "the network has no convolution and no fully connected layer to reconstruct");
  }
  const auto layer_of = LayerOfNodes(graph, layers);
  std::vector<std::vector<int>> groups;
  if (pattern == UnitPattern::kBlock) {
    groups = BlockFinder(graph).Find(FindSegments(graph, layer_of));
  } else if (pattern == UnitPattern::kNetwork) {
    groups.emplace_back(graph.nodes().size());
    std::iota(groups[0].begin(), groups[0].end(), 0);
  } else {
    for (const Layer& layer : layers) {
      groups.push_back(pattern == UnitPattern::kLayer ? WithFollowers(graph, layer.node)
                                                      : std::vector<int>{layer.node});
    }
  }
  std::vector<Unit> units;
  for (auto& group : groups) {
    units.push_back(MakeUnit(graph, layers, layer_of, std::move(group)));
  }
  return units;
}

GraphPass PassOver(const Graph& graph, const Unit& unit) {
  return {graph, unit.nodes, unit.inputs, unit.name};
}

std::string DescribeUnits(const Graph& graph, const std::vector<Layer>& layers,
                          const std::vector<Unit>& units) {
  const auto join = [](const std::vector<std::string>& parts) {
    return fmt::format("{}", fmt::join(parts, ", "));
  };
  std::string text;
  for (size_t i = 0; i < units.size(); ++i) {
    const Unit& unit = units[i];
    std::vector<std::string> names;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    for (const int layer : unit.layers) names.push_back(layers[static_cast<size_t>(layer)].name);
    for (const ValueId id : unit.inputs) inputs.push_back(graph.value(id).name);
    for (const ValueId id : unit.outputs) outputs.push_back(graph.value(id).name);
    text += fmt::format("{:3}  {} nodes  {} → {}\n     {}\n", i + 1, unit.nodes.size(),
                        join(inputs), join(outputs), join(names));
  }
  return text;
}

}  // namespace sparsify
