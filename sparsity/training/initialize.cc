#include "sparsity/training/initialize.h"

#include <cmath>

#include "sparsity/base/random.h"

namespace sparsify {
namespace {

void InitializeWeight(const Layer& layer, Random random, Tensor& weight) {
  const int64_t outputs = weight.shape()[0];
  const int64_t inputs = weight.size() / outputs;  // of one output
  if (layer.is_linear) {
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    for (float& w : weight.values()) {
      w = static_cast<float>(bound * (2 * random.Uniform() - 1));
    }
    return;
  }
  const int64_t area = inputs / weight.shape()[1];
  const double deviation = std::sqrt(2 / static_cast<double>(outputs / layer.groups * area));
  for (float& w : weight.values()) w = static_cast<float>(deviation * random.Normal());
}

}  // namespace

void InitializeNetwork(Graph& graph, const std::vector<Layer>& layers, uint64_t seed) {
  for (size_t i = 0; i < layers.size(); ++i) {
    InitializeWeight(layers[i], Random(seed, i), graph.mutable_value(layers[i].weight).data);
    if (layers[i].bias == kNoValue || !graph.value(layers[i].bias).is_parameter) continue;
    graph.mutable_value(layers[i].bias).data.Fill(0);
  }
  for (const Node& node : graph.nodes()) {
    if (node.type != OpType::kBatchNormalization) continue;
    constexpr float kValues[] = {1, 0, 0, 1};  // scale, bias, mean, variance
    for (size_t i = 0; i < 4; ++i) {
      const ValueId id = node.inputs[i + 1];
      if (graph.value(id).is_parameter) graph.mutable_value(id).data.Fill(kValues[i]);
    }
  }
}

}  // namespace sparsify
