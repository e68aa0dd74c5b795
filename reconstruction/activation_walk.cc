#include "reconstruction/activation_walk.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

size_t Index(ValueId id) { return static_cast<size_t>(id); }

bool Contains(const std::vector<ValueId>& ids, ValueId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

ActivationWalk::ActivationWalk(const Graph& graph, std::shared_ptr<ActivationStore> images,
                               const ImageBlocks& blocks, MemoryBudget& budget, Settings settings)
    : graph_(graph),
      blocks_(blocks),
      budget_(budget),
      settings_(std::move(settings)),
      readers_(graph.values().size()),
      computed_(graph.nodes().size(), false) {
  for (int i = 0; i < std::ssize(graph.nodes()); ++i) {
    for (const ValueId id : graph.node(i).inputs) {
      if (id != kNoValue && !graph.value(id).is_parameter) readers_[Index(id)].push_back(i);
    }
  }
  stores_[graph.inputs.at(0).value] = std::move(images);
}

// The nodes that `wanted` need and that have not been computed, ascending.
std::vector<int> ActivationWalk::Missing(const std::vector<ValueId>& wanted) const {
  std::vector<ValueId> open = wanted;
  std::set<int> nodes;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == kNoValue || graph_.value(id).is_parameter || stores_.contains(id)) continue;
    const int producer = graph_.Producer(id);
    if (producer < 0 || computed_[static_cast<size_t>(producer)]) {
      Fail(graph_.name, "activation \"{}\" is no longer kept", graph_.value(id).name);
    }
    if (!nodes.insert(producer).second) continue;
    const auto& inputs = graph_.node(producer).inputs;
    open.insert(open.end(), inputs.begin(), inputs.end());
  }
  return {nodes.begin(), nodes.end()};
}

bool ActivationWalk::IsLive(ValueId id, const std::vector<ValueId>& wanted) const {
  const auto& readers = readers_[Index(id)];
  return Contains(wanted, id) || std::any_of(readers.begin(), readers.end(), [&](int reader) {
           return !computed_[static_cast<size_t>(reader)];
         });
}

void ActivationWalk::Advance(const std::vector<ValueId>& wanted, const std::set<ValueId>& observed,
                             const Observer& observer) {
  const auto nodes = Missing(wanted);
  for (const int node : nodes) computed_[static_cast<size_t>(node)] = true;
  observed_ = observed;
  observer_ = observer;
  kept_.clear();
  for (const int node : nodes) {
    for (const ValueId id : graph_.node(node).outputs) {
      if (id != kNoValue && IsLive(id, wanted)) kept_.insert(id);
    }
  }
  std::vector<ValueId> dead;
  for (const auto& [id, store] : stores_) {
    if (!IsLive(id, wanted)) dead.push_back(id);
  }
  FindLastReaders(nodes);
  for (int64_t k = 0; k < blocks_.count() && !nodes.empty(); ++k) {
    const int64_t end = blocks_.begin(k + 1);
    for (int64_t first = blocks_.begin(k); first < end; first += settings_.chunk) {
      ThrowIfInterrupted();
      Run(nodes, first, std::min(settings_.chunk, end - first));
    }
    for (const ValueId id : dead) {
      if (stores_[id].use_count() == 1) stores_[id]->Drop(k);
    }
  }
  for (const ValueId id : dead) stores_.erase(id);
  made_.clear();
}

void ActivationWalk::FindLastReaders(const std::vector<int>& nodes) {
  last_reader_.assign(graph_.values().size(), -1);
  for (const int node : nodes) {
    for (const ValueId id : graph_.node(node).inputs) {
      if (id != kNoValue) last_reader_[Index(id)] = node;
    }
  }
}

void ActivationWalk::Run(const std::vector<int>& nodes, int64_t first, int64_t count) {
  made_.resize(graph_.values().size());
  for (const auto& [id, store] : stores_) {
    if (last_reader_[Index(id)] >= 0 && !kept_.contains(id)) {
      store->Read(first, count, made_[Index(id)]);
    }
  }
  for (const int index : nodes) {
    const Node& node = graph_.node(index);
    RunNode(node);
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      Tensor& rows = made_[Index(id)];
      if (observed_.contains(id)) observer_(id, first, rows);
      if (kept_.contains(id)) Keep(id, first, count, rows);
      if (last_reader_[Index(id)] < 0) rows = Tensor();
    }
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && last_reader_[Index(id)] == index) made_[Index(id)] = Tensor();
    }
  }
}

void ActivationWalk::RunNode(const Node& node) {
  std::vector<const Tensor*> inputs;
  std::vector<Shape> shapes;
  for (const ValueId id : node.inputs) {
    const bool absent = id == kNoValue;
    const bool given = !absent && graph_.value(id).is_parameter;
    inputs.push_back(absent ? nullptr : given ? &graph_.value(id).data : &made_[Index(id)]);
    shapes.push_back(absent ? Shape{0} : inputs.back()->shape());
  }
  const auto sizes = OutputShapes(node, shapes);
  std::vector<Tensor> unnamed(sizes.size());  // outputs that nothing asks for
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool named = i < node.outputs.size() && node.outputs[i] != kNoValue;
    outputs.push_back(named ? &made_[Index(node.outputs[i])] : &unnamed[i]);
    outputs.back()->Resize(sizes[i]);
  }
  Forward(node, inputs, outputs);
}

void ActivationWalk::Keep(ValueId id, int64_t first, int64_t count, const Tensor& rows) {
  auto& store = stores_[id];
  if (store == nullptr) {
    const auto& dims = rows.shape().dims();
    if (dims.empty() || dims[0] != count) {
      Fail(graph_.name,
           "activation \"{}\" of {} images has shape {}, it cannot be kept image by "
           "image; repair with pattern: network",
           graph_.value(id).name, count, rows.shape().ToString());
    }
    store = std::make_shared<ActivationStore>(blocks_, Shape({dims.begin() + 1, dims.end()}),
                                              budget_, settings_.scratch_directory);
  }
  store->Write(first, rows);
}

int64_t ActivationWalk::bytes_on_disk() const {
  int64_t bytes = 0;
  for (const auto& [id, store] : stores_) bytes += store->bytes_on_disk();
  return bytes;
}

}  // namespace sparsify
