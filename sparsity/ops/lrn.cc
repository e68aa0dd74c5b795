#include "sparsity/ops/lrn.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {

std::vector<Shape> LrnOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  if (inputs[0].rank() < 2) {
    FailNode(node, "input {} must have a batch and a channel dimension", inputs[0].ToString());
  }
  if (node.attributes.Int("size", 0) < 1) {
    FailNode(node, "attribute size is {}, at least 1 expected", node.attributes.Int("size", 0));
  }
  return {inputs[0]};
}

void LrnForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = inputs[0]->shape();
  const int64_t channels = shape[1];
  const int64_t area = ProductOf(shape, 2, shape.rank());
  const int64_t size = node.attributes.Int("size", 0);
  const int64_t before = std::min((size - 1) / 2, channels);
  const int64_t after = std::min(size / 2, channels);
  const auto alpha =
      static_cast<float>(node.attributes.Float("alpha", 1e-4) / static_cast<double>(size));
  const auto beta = static_cast<float>(node.attributes.Float("beta", 0.75));
  const auto bias = static_cast<float>(node.attributes.Float("bias", 1));
  ParallelFor(shape[0] * channels, [&](int64_t plane) {
    const int64_t c = plane % channels;
    const float* image = inputs[0]->data() + (plane - c) * area;
    float* y = outputs[0]->data() + plane * area;
    std::fill_n(y, area, 0.0F);
    const int64_t last = std::min(channels - 1, c + after);
    for (int64_t k = std::max<int64_t>(0, c - before); k <= last; ++k) {
      for (int64_t i = 0; i < area; ++i) y[i] += image[k * area + i] * image[k * area + i];
    }
    for (int64_t i = 0; i < area; ++i) {
      y[i] = image[c * area + i] * std::pow(bias + alpha * y[i], -beta);
    }
  });
}

}  // namespace sparsify
