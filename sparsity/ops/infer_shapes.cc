#include "sparsity/ops/infer_shapes.h"

#include "sparsity/base/error.h"
#include "sparsity/ops/op.h"

namespace sparsify {
namespace {

Shape BindInput(const Graph& graph, const Port& port, int64_t batch) {
  const std::string& name = graph.value(port.value).name;
  Shape shape = port.shape;
  if (shape.rank() > 0 && shape[0] == -1) shape.set_dim(0, batch);
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] < 1) {
      Fail(graph.name, "input \"{}\" has shape {}; dimension {} is unknown, give the image size",
           name, port.shape.ToString(), i);
    }
  }
  return shape;
}

void CheckBatch(const Graph& graph, int64_t batch) {
  if (batch < 1) Fail(graph.name, "batch size {} is not positive", batch);
  if (graph.inputs.empty()) Fail(graph.name, "the graph has no input");
  for (const Port& port : graph.inputs) {
    if (port.shape.rank() > 0 && (port.shape[0] == -1 || port.shape[0] == batch)) return;
  }
  Fail(graph.name, "input \"{}\" is fixed to shape {}, batch size {} asked for",
       graph.value(graph.inputs[0].value).name, graph.inputs[0].shape.ToString(), batch);
}

std::vector<Shape> Infer(const Graph& graph, const std::vector<Shape>& input_shapes) {
  std::vector<Shape> shapes(graph.values().size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (graph.values()[i].is_parameter) shapes[i] = graph.values()[i].data.shape();
  }
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    shapes[static_cast<size_t>(graph.inputs[i].value)] = input_shapes[i];
  }
  std::vector<Shape> arguments;
  for (const Node& node : graph.nodes()) {
    arguments.clear();
    for (const ValueId id : node.inputs) {
      arguments.push_back(id == kNoValue ? Shape{0} : shapes[static_cast<size_t>(id)]);
    }
    const auto results = OutputShapes(node, arguments);
    for (size_t i = 0; i < results.size() && i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) shapes[static_cast<size_t>(node.outputs[i])] = results[i];
    }
  }
  return shapes;
}

}  // namespace

int64_t UsableBatch(const Graph& graph, int64_t wanted) {
  const int64_t fixed = graph.inputs.at(0).shape[0];
  return fixed > 0 ? fixed : wanted;
}

std::vector<Shape> InferShapes(const Graph& graph, int64_t batch) {
  CheckBatch(graph, batch);
  std::vector<Shape> input_shapes;
  for (const Port& port : graph.inputs) input_shapes.push_back(BindInput(graph, port, batch));
  return Infer(graph, input_shapes);
}

std::vector<Shape> InferShapes(const Graph& graph, int64_t batch, const Shape& image_shape) {
  CheckBatch(graph, batch);
  if (graph.inputs.size() != 1) {
    Fail(graph.name, "has {} inputs; another image shape can be given for a single one only",
         graph.inputs.size());
  }
  std::vector<int64_t> dims = {batch};
  dims.insert(dims.end(), image_shape.dims().begin(), image_shape.dims().end());
  return Infer(graph, {BindInput(graph, {graph.inputs[0].value, Shape(dims)}, batch)});
}

}  // namespace sparsify
