#include "sparsity/ops/run_node.h"

#include "sparsity/base/error.h"
#include "sparsity/ops/op.h"

namespace sparsify {

void PassValues::Reset(const Graph& graph) {
  const size_t count = graph.values().size();
  owned.clear();
  owned.resize(count);
  current.assign(count, nullptr);
  for (size_t i = 0; i < count; ++i) {
    const Value& value = graph.values()[i];
    if (value.is_parameter) current[i] = &value.data;
  }
}

void RunNode(const Graph& graph, const Node& node, const SizeOutput& size_output,
             PassValues& values, const OutputVisitor& visit) {
  std::vector<const Tensor*> inputs;
  std::vector<Shape> shapes;
  for (const ValueId id : node.inputs) {
    const Tensor* tensor = id == kNoValue ? nullptr : values.current[static_cast<size_t>(id)];
    if (id != kNoValue && tensor == nullptr) {
      Fail(node.name, "its input \"{}\" is not known here", graph.value(id).name);
    }
    inputs.push_back(tensor);
    shapes.push_back(tensor == nullptr ? Shape{0} : tensor->shape());
  }
  const auto made = OutputShapes(node, shapes);
  std::vector<Tensor> unnamed(made.size());
  std::vector<Tensor*> outputs;
  for (size_t i = 0; i < made.size(); ++i) {
    const bool named = i < node.outputs.size() && node.outputs[i] != kNoValue;
    const size_t id = named ? static_cast<size_t>(node.outputs[i]) : 0;
    Tensor& tensor = named ? values.owned[id] : unnamed[i];
    size_output(tensor, made[i]);
    if (named) values.current[id] = &tensor;
    outputs.push_back(&tensor);
  }
  Forward(node, inputs, outputs);
  if (visit) visit({outputs.begin(), outputs.end()});
}

}  // namespace sparsify
