#include "sparsity/cli/network.h"

#include <algorithm>
#include <memory>

#include "sparsity/base/error.h"
#include "sparsity/cli/padded_plan.h"
#include "sparsity/ops/infer_shapes.h"

namespace sparsify {
namespace {

/// Of the network's output for a batch that it takes.
Shape ScoresShape(const Graph& graph) {
  const auto shapes = InferShapes(graph, UsableBatch(graph, 1));
  return shapes.at(static_cast<size_t>(graph.outputs.at(0).value));
}

}  // namespace

void RequireKnownSize(const Graph& graph, const std::string& path) {
  for (const Port& input : graph.inputs) {
    for (int i = 1; i < input.shape.rank(); ++i) {
      if (input.shape[i] >= 1) continue;
      Fail(path,
           "input \"{}\" has shape {}, which leaves dimension {} open; export the network with "
           "a fixed image size",
           graph.value(input.value).name, input.shape.ToString(), i);
    }
  }
}

void RequireClassifier(const Graph& graph, const std::string& path) {
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    Fail(path, "{} inputs and {} outputs, expected a network with one of each", graph.inputs.size(),
         graph.outputs.size());
  }
  if (graph.inputs[0].shape.rank() < 2) {
    Fail(path, "input shape {}, expected N×C×H×W", graph.inputs[0].shape.ToString());
  }
  RequireKnownSize(graph, path);
  const Shape scores = ScoresShape(graph);
  const Shape one = scores.rank() > 0 ? scores.Without(0) : Shape{};
  const auto classes = std::max_element(one.dims().begin(), one.dims().end());
  if (one.rank() == 0 || one.NumElements() != *classes) {
    Fail(path, "output shape {}, expected N×classes: one score a class", scores.ToString());
  }
}

Shape ImageShape(const Graph& graph) { return graph.inputs.at(0).shape.Without(0); }

int64_t ClassCount(const Graph& graph) {
  return ScoresShape(graph).NumElements() / UsableBatch(graph, 1);
}

std::vector<Layer> LayersOf(const Graph& graph) {
  return FindLayers(graph, InferShapes(graph, UsableBatch(graph, 1)));
}

ForwardFunction DenseForward(const Graph& graph, int64_t batch) {
  const auto plan = std::make_shared<PaddedPlan>(graph, batch);
  return [plan](const Tensor& images, Tensor& logits) { plan->Run({&images}, logits); };
}

}  // namespace sparsify
