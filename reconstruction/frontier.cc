#include "reconstruction/frontier.h"

#include <algorithm>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

size_t Index(ValueId id) { return static_cast<size_t>(id); }

}  // namespace

Frontier::Frontier(const Graph& graph, int64_t batches, int64_t batch, TensorPool* pool)
    : graph_(graph),
      pool_(pool == nullptr ? own_pool_ : *pool),
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
  const auto size = [this](Tensor& output, const Shape& shape) { output = pool_.Take(shape); };
  for (int node = kept.cut; node < end; ++node) {
    if (node == keep) MoveCut(kept, keep);
    RunNode(graph_, graph_.node(node), size, values_);
    FreeAfter(node, wanted);
  }
  if (keep == end) MoveCut(kept, keep);
  const Tensor* result = values_.current.at(Index(wanted));
  if (result == nullptr) {
    Fail(graph_.name, "\"{}\" is not known after node {}", graph_.value(wanted).name, end);
  }
  return *result;
}

void Frontier::Load(const Kept& kept, const Tensor* images) {
  for (Tensor& tensor : values_.owned) pool_.Give(std::move(tensor));
  values_.Reset(graph_);
  last_reader_.resize(graph_.values().size(), -1);
  for (const auto& [id, tensor] : kept.values) values_.current[Index(id)] = &tensor;
  values_.current[Index(input_)] = images;
}

// What crosses the new cut moves to `kept`, the rest of the old cut goes after its last reader.
void Frontier::MoveCut(Kept& kept, int cut) {
  for (auto it = kept.values.begin(); it != kept.values.end();) {
    auto& [id, tensor] = *it;
    if (last_reader_[Index(id)] >= cut) {
      ++it;
      continue;
    }
    values_.current[Index(id)] = nullptr;
    pool_.Give(std::move(tensor));
    it = kept.values.erase(it);
  }
  for (size_t i = 0; i < values_.owned.size(); ++i) {
    Tensor& made = values_.owned[i];
    if (made.empty() || last_reader_[i] < cut) continue;
    Tensor& value = kept.values[static_cast<ValueId>(i)];
    value = std::exchange(made, Tensor());
    values_.current[i] = &value;
  }
  kept.cut = cut;
}

void Frontier::FreeAfter(int node, ValueId wanted) {
  const auto free = [&](ValueId id) {
    if (id == kNoValue || id == wanted || last_reader_[Index(id)] > node) return;
    if (values_.current[Index(id)] != &values_.owned[Index(id)]) return;
    pool_.Give(std::exchange(values_.owned[Index(id)], Tensor()));
    values_.current[Index(id)] = nullptr;
  };
  std::for_each(graph_.node(node).inputs.begin(), graph_.node(node).inputs.end(), free);
  std::for_each(graph_.node(node).outputs.begin(), graph_.node(node).outputs.end(), free);
}

}  // namespace sparsify
