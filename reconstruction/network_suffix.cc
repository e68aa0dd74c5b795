#include "reconstruction/network_suffix.h"

#include <algorithm>
#include <utility>

#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

// Copies values and nodes over, giving them new ids.
class Builder {
 public:
  Builder(const Graph& whole, int cut, ValueId output, int64_t batch)
      : whole_(whole),
        cut_(cut),
        batch_(batch),
        shapes_(InferShapes(whole, batch)),
        needed_(whole.nodes().size(), false),
        ids_(whole.values().size(), kNoValue) {
    FindNeeded(output);
    suffix_.graph.name = whole.name;
    for (size_t i = 0; i < needed_.size(); ++i) {
      if (needed_[i]) AddNode(whole.nodes()[i]);
    }
    const ValueId made = IdOf(output);
    suffix_.graph.outputs = {{made, PortShape(output)}};
    if (!suffix_.graph.nodes().empty()) suffix_.graph.SortAndCheck();
  }

  NetworkSuffix Take() { return std::move(suffix_); }

 private:
  // Nodes at or behind the cut that lead to `output`.
  void FindNeeded(ValueId output) {
    std::vector<ValueId> open = {output};
    while (!open.empty()) {
      const int producer = whole_.Producer(open.back());
      open.pop_back();
      if (producer < cut_ || needed_[static_cast<size_t>(producer)]) continue;
      needed_[static_cast<size_t>(producer)] = true;
      for (const ValueId id : whole_.node(producer).inputs) {
        if (id != kNoValue) open.push_back(id);
      }
    }
  }

  void AddNode(Node node) {
    for (ValueId& id : node.inputs) id = IdOf(id);
    for (ValueId& id : node.outputs) {
      if (id == kNoValue) continue;
      const ValueId made = suffix_.graph.AddActivation(whole_.value(id).name);
      ids_[static_cast<size_t>(id)] = made;
      id = made;
    }
    suffix_.graph.AddNode(std::move(node));
  }

  // The value's new id; what is not known yet is a parameter or crosses the cut.
  ValueId IdOf(ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& made = ids_[static_cast<size_t>(id)];
    if (made != kNoValue) return made;
    const Value& value = whole_.value(id);
    if (value.is_parameter) {
      made = suffix_.graph.AddParameter(value.name, value.data);
    } else {
      made = suffix_.graph.AddActivation(value.name);
      suffix_.graph.inputs.push_back({made, PortShape(id)});
      suffix_.inputs.push_back(id);
    }
    return made;
  }

  Shape PortShape(ValueId id) const {
    std::vector<int64_t> dims = shapes_[static_cast<size_t>(id)].dims();
    const bool free = whole_.inputs.at(0).shape[0] < 0;
    if (free && !dims.empty() && dims[0] == batch_) dims[0] = -1;
    return Shape(dims);
  }

  const Graph& whole_;
  const int cut_;
  const int64_t batch_;
  const std::vector<Shape> shapes_;
  std::vector<bool> needed_;
  std::vector<ValueId> ids_;  // by the whole network's id
  NetworkSuffix suffix_;
};

}  // namespace

NetworkSuffix SuffixBehind(const Graph& graph, int cut, ValueId output, int64_t batch) {
  return Builder(graph, cut, output, batch).Take();
}

}  // namespace sparsify
