#include "reconstruction/frontier.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/ops/infer_shapes.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

size_t Index(ValueId id) { return static_cast<size_t>(id); }

}  // namespace

Frontier::Frontier(const Graph& graph, int64_t batches, int64_t batch)
    : graph_(graph),
      last_reader_(graph.values().size(), -1),
      bytes_(graph.nodes().size() + 1, 0),
      kept_(static_cast<size_t>(batches)) {
  if (graph.inputs.size() != 1) {
    Fail(graph.name, "{} inputs, repair needs a network with one", graph.inputs.size());
  }
  input_ = graph.inputs[0].value;
  const int nodes = static_cast<int>(graph.nodes().size());
  for (int i = 0; i < nodes; ++i) {
    for (const ValueId id : graph.node(i).inputs) {
      if (id != kNoValue) last_reader_[Index(id)] = i;
    }
  }
  const auto shapes = InferShapes(graph, batch);
  for (int i = 0; i < nodes; ++i) {
    for (const ValueId id : graph.node(i).outputs) {
      if (id == kNoValue) continue;
      const int64_t size = shapes[Index(id)].NumElements() / batch;
      for (int cut = i + 1; cut <= last_reader_[Index(id)]; ++cut) {
        bytes_[static_cast<size_t>(cut)] += size * static_cast<int64_t>(sizeof(float));
      }
    }
  }
}

bool Frontier::ReadsImages(int begin, int end) const {
  for (int i = begin; i < end; ++i) {
    const auto& inputs = graph_.node(i).inputs;
    if (std::find(inputs.begin(), inputs.end(), input_) != inputs.end()) return true;
  }
  return false;
}

const Tensor& Frontier::Advance(int64_t k, const Tensor* images, int keep, int end,
                                ValueId wanted) {
  Kept& kept = kept_.at(static_cast<size_t>(k));
  if (keep < kept.cut || keep > end || end > static_cast<int>(graph_.nodes().size())) {
    Fail(graph_.name, "cannot move the cut from node {} to {} and compute up to {}", kept.cut, keep,
         end);
  }
  Load(kept, images);
  for (int node = kept.cut; node < end; ++node) {
    if (node == keep) MoveCut(kept, keep);
    RunNode(graph_.node(node));
    FreeAfter(node, wanted);
  }
  if (keep == end) MoveCut(kept, keep);
  const Tensor* result = current_.at(Index(wanted));
  if (result == nullptr) {
    Fail(graph_.name, "\"{}\" is not known after node {}", graph_.value(wanted).name, end);
  }
  return *result;
}

void Frontier::Load(const Kept& kept, const Tensor* images) {
  const size_t count = graph_.values().size();
  owned_.clear();
  owned_.resize(count);
  current_.assign(count, nullptr);
  last_reader_.resize(count, -1);
  for (size_t i = 0; i < count; ++i) {
    const Value& value = graph_.values()[i];
    if (value.is_parameter) current_[i] = &value.data;
  }
  for (const auto& [id, tensor] : kept.values) current_[Index(id)] = &tensor;
  current_[Index(input_)] = images;
}

// What crosses the new cut moves to `kept`, the rest of the old cut goes after its last reader.
void Frontier::MoveCut(Kept& kept, int cut) {
  std::erase_if(kept.values, [&](const auto& item) {
    if (last_reader_[Index(item.first)] >= cut) return false;
    current_[Index(item.first)] = nullptr;
    return true;
  });
  for (size_t i = 0; i < owned_.size(); ++i) {
    if (owned_[i].empty() || last_reader_[i] < cut) continue;
    Tensor& value = kept.values[static_cast<ValueId>(i)];
    value = std::move(owned_[i]);
    owned_[i] = Tensor();
    current_[i] = &value;
  }
  kept.cut = cut;
}

void Frontier::RunNode(const Node& node) {
  std::vector<const Tensor*> inputs;
  std::vector<Shape> shapes;
  for (const ValueId id : node.inputs) {
    const Tensor* tensor = id == kNoValue ? nullptr : current_[Index(id)];
    if (id != kNoValue && tensor == nullptr) {
      Fail(node.name, "its input \"{}\" is not known here", graph_.value(id).name);
    }
    inputs.push_back(tensor);
    shapes.push_back(tensor == nullptr ? Shape{0} : tensor->shape());
  }
  const auto made = OutputShapes(node, shapes);
  std::vector<Tensor> unnamed(made.size());  // outputs that nothing asks for
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < made.size(); ++i) {
    const bool named = i < node.outputs.size() && node.outputs[i] != kNoValue;
    Tensor& tensor = named ? owned_[Index(node.outputs[i])] : unnamed[i];
    tensor = Tensor::Uninitialized(made[i]);
    if (named) current_[Index(node.outputs[i])] = &tensor;
    outputs.push_back(&tensor);
  }
  Forward(node, inputs, outputs);
}

void Frontier::FreeAfter(int node, ValueId wanted) {
  const auto free = [&](ValueId id) {
    if (id == kNoValue || id == wanted || last_reader_[Index(id)] > node) return;
    if (current_[Index(id)] != &owned_[Index(id)]) return;
    owned_[Index(id)] = Tensor();
    current_[Index(id)] = nullptr;
  };
  std::for_each(graph_.node(node).inputs.begin(), graph_.node(node).inputs.end(), free);
  std::for_each(graph_.node(node).outputs.begin(), graph_.node(node).outputs.end(), free);
}

}  // namespace sparsify
