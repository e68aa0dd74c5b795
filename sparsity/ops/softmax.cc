#include "sparsity/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

int Axis(const Node& node, const Shape& input) {
  return NormalizeAxis(node, node.attributes.Int("axis", -1), input.rank());
}

// `count` elements `step` apart; the maximum is subtracted first so that nothing overflows.
void SoftmaxLine(const float* x, float* y, int64_t count, int64_t step) {
  float highest = x[0];
  for (int64_t i = 1; i < count; ++i) highest = std::max(highest, x[i * step]);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    y[i * step] = std::exp(x[i * step] - highest);
    sum += y[i * step];
  }
  const auto factor = static_cast<float>(1 / sum);
  for (int64_t i = 0; i < count; ++i) y[i * step] *= factor;
}

}  // namespace

std::vector<Shape> SoftmaxOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  Axis(node, inputs[0]);
  return {inputs[0]};
}

void SoftmaxForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = inputs[0]->shape();
  const int axis = Axis(node, shape);
  const int64_t count = shape[axis];
  const int64_t inner = ProductOf(shape, axis + 1, shape.rank());
  ParallelFor(ProductOf(shape, 0, axis), [&](int64_t outer) {
    const int64_t base = outer * count * inner;
    for (int64_t i = 0; i < inner; ++i) {
      SoftmaxLine(inputs[0]->data() + base + i, outputs[0]->data() + base + i, count, inner);
    }
  });
}

}  // namespace sparsify
