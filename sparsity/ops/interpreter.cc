#include "sparsity/ops/interpreter.h"

#include <algorithm>
#include <map>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/ops/run_node.h"

namespace sparsify {
namespace {

// Memory of activations whose last reader has run, ready for later ones of the same pass.
class Recycler {
 public:
  Tensor Take(const Shape& shape) {
    const int64_t size = shape.NumElements();
    const auto it = free_.lower_bound(size);
    if (it == free_.end() || it->first > 2 * size) return Tensor::Uninitialized(shape);
    Tensor tensor = std::move(it->second);
    free_.erase(it);
    tensor.Resize(shape);
    return tensor;
  }
  // Keeps the largest ones: what does not fit a later activation is freed first.
  void Give(Tensor tensor) {
    constexpr size_t kKept = 3;
    const int64_t size = tensor.size();
    free_.emplace(size, std::move(tensor));
    if (free_.size() > kKept) free_.erase(free_.begin());
  }

 private:
  std::multimap<int64_t, Tensor> free_;
};

void CheckInputs(const Graph& graph, const std::vector<const Tensor*>& inputs) {
  if (inputs.size() != graph.inputs.size()) {
    Fail(graph.name, "{} inputs given, {} expected", inputs.size(), graph.inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Shape& expected = graph.inputs[i].shape;
    const Shape& actual = inputs[i]->shape();
    bool fits = actual.rank() == expected.rank();
    for (int d = 0; fits && d < actual.rank(); ++d) {
      fits = actual[d] > 0 && (expected[d] < 0 || expected[d] == actual[d]);
    }
    if (!fits) {
      Fail(graph.name, "input \"{}\" has shape {}, {} expected",
           graph.value(graph.inputs[i].value).name, actual.ToString(), expected.ToString());
    }
  }
}

// One forward pass: where every value lives while it is needed.
class Pass {
 public:
  Pass(const Graph& graph, const std::vector<int>& last_reader,
       const std::vector<const Tensor*>& inputs)
      : graph_(graph), last_reader_(last_reader) {
    values_.Reset(graph);
    for (size_t i = 0; i < inputs.size(); ++i) {
      values_.current[static_cast<size_t>(graph.inputs[i].value)] = inputs[i];
    }
  }

  void RunNode(int index, const Interpreter::Observer& observer) {
    const Node& node = graph_.node(index);
    const auto size = [this](Tensor& output, const Shape& shape) {
      output = recycler_.Take(shape);
    };
    OutputVisitor visit;
    if (observer) visit = [&](const auto& outputs) { observer(index, outputs); };
    sparsify::RunNode(graph_, node, size, values_, visit);
    FreeAfter(index, node.inputs);
    FreeAfter(index, node.outputs);
  }

  std::vector<Tensor> TakeOutputs() {
    std::vector<Tensor> results;
    for (const Port& port : graph_.outputs) {
      const auto id = static_cast<size_t>(port.value);
      const Tensor* known = values_.current[id];
      if (known == nullptr) Fail(graph_.name, "output {} was not computed", port.value);
      const bool again = std::count_if(graph_.outputs.begin(), graph_.outputs.end(),
                                       [&](const Port& p) { return p.value == port.value; }) > 1;
      const bool movable = known == &values_.owned[id] && !again;
      results.push_back(movable ? std::move(values_.owned[id]) : *known);
    }
    return results;
  }

 private:
  void FreeAfter(int index, const std::vector<ValueId>& ids) {
    for (const ValueId value : ids) {
      if (value == kNoValue) continue;
      const auto id = static_cast<size_t>(value);
      if (last_reader_[id] != index || values_.current[id] != &values_.owned[id]) continue;
      values_.current[id] = nullptr;
      recycler_.Give(std::move(values_.owned[id]));
    }
  }

  const Graph& graph_;
  const std::vector<int>& last_reader_;
  PassValues values_;
  Recycler recycler_;
};

}  // namespace

Interpreter::Interpreter(const Graph& graph)
    : graph_(graph), last_reader_(graph.values().size(), -1) {
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    for (const auto* ids : {&graph.node(i).outputs, &graph.node(i).inputs}) {
      for (const ValueId id : *ids) {
        if (id != kNoValue) last_reader_[static_cast<size_t>(id)] = i;
      }
    }
  }
  for (const Port& port : graph.outputs) last_reader_[static_cast<size_t>(port.value)] = -1;
}

std::vector<Tensor> Interpreter::Run(const std::vector<const Tensor*>& inputs,
                                     const Observer& observer) const {
  CheckInputs(graph_, inputs);
  Pass pass(graph_, last_reader_, inputs);
  for (int i = 0; i < static_cast<int>(graph_.nodes().size()); ++i) pass.RunNode(i, observer);
  return pass.TakeOutputs();
}

}  // namespace sparsify
