#include "sparsity/ops/batch_normalization.h"

#include <cmath>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {

std::vector<Shape> BatchNormalizationOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 5, 5);
  if (inputs[0].rank() < 2) {
    FailNode(node, "input {} must have a batch and a channel dimension", inputs[0].ToString());
  }
  if (node.attributes.Int("training_mode", 0) != 0) {
    FailNode(node, "training_mode 1 is not supported; export the network for inference");
  }
  const Shape expected = {inputs[0][1]};
  for (size_t i = 1; i < 5; ++i) {
    if (inputs[i] != expected) {
      FailNode(node, "input {} has shape {}, {} expected for {}", i, inputs[i].ToString(),
               expected.ToString(), inputs[0].ToString());
    }
  }
  return {inputs[0]};
}

void BatchNormalizationForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Tensor& x = *inputs[0];
  const int64_t channels = x.shape()[1];
  const int64_t area = ProductOf(x.shape(), 2, x.shape().rank());
  const double epsilon = node.attributes.Float("epsilon", 1e-5);
  std::vector<float> factor(static_cast<size_t>(channels));
  std::vector<float> shift(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    const double variance = (*inputs[4])[c] + epsilon;
    if (!(variance > 0)) {
      FailNode(node, "variance {} of channel {} is not positive", (*inputs[4])[c], c);
    }
    const double scale = (*inputs[1])[c] / std::sqrt(variance);
    factor[static_cast<size_t>(c)] = static_cast<float>(scale);
    shift[static_cast<size_t>(c)] = static_cast<float>((*inputs[2])[c] - (*inputs[3])[c] * scale);
  }
  ParallelFor(x.shape()[0] * channels, [&](int64_t plane) {
    const float a = factor[static_cast<size_t>(plane % channels)];
    const float b = shift[static_cast<size_t>(plane % channels)];
    const float* in = x.data() + plane * area;
    float* out = outputs[0]->data() + plane * area;
    for (int64_t i = 0; i < area; ++i) out[i] = in[i] * a + b;
  });
}

}  // namespace sparsify
