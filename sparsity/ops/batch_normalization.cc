#include "sparsity/ops/batch_normalization.h"

#include <cmath>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {
namespace {

// 1 / sqrt(var + epsilon) of every channel.
std::vector<double> InverseDeviations(const Node& node, const Tensor& variances) {
  const double epsilon = node.attributes.Float("epsilon", 1e-5);
  std::vector<double> result;
  for (const float v : variances.values()) {
    const double variance = v + epsilon;
    if (!(variance > 0)) {
      FailNode(node, "variance {} of channel {} is not positive", v, result.size());
    }
    result.push_back(1 / std::sqrt(variance));
  }
  return result;
}

}  // namespace

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
  const auto inverse = InverseDeviations(node, *inputs[4]);
  std::vector<float> factor(static_cast<size_t>(channels));
  std::vector<float> shift(static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c) {
    const double scale = (*inputs[1])[c] * inverse[static_cast<size_t>(c)];
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

void BatchNormalizationBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/,
                                OpInputs grad_outputs, OpOutputs grad_inputs) {
  if (grad_inputs[3] != nullptr || grad_inputs[4] != nullptr) {
    FailNode(node, "mean and variance are frozen and have no gradient");
  }
  const Tensor& x = *inputs[0];
  const int64_t channels = x.shape()[1];
  const int64_t area = ProductOf(x.shape(), 2, x.shape().rank());
  const auto inverse = InverseDeviations(node, *inputs[4]);
  ParallelFor(channels, [&](int64_t c) {
    const double deviation = inverse[static_cast<size_t>(c)];
    const auto factor = static_cast<float>((*inputs[1])[c] * deviation);
    double sum = 0;
    double dot = 0;
    for (int64_t n = 0; n < x.shape()[0]; ++n) {
      const int64_t at = (n * channels + c) * area;
      const float* grad_y = grad_outputs[0]->data() + at;
      if (grad_inputs[1] != nullptr || grad_inputs[2] != nullptr) sum += PlaneSum(grad_y, area);
      if (grad_inputs[1] != nullptr) dot += PlaneDot(grad_y, x.data() + at, area);
      if (grad_inputs[0] == nullptr) continue;
      float* grad_x = grad_inputs[0]->data() + at;
      SPARSIFY_INDEPENDENT
      for (int64_t i = 0; i < area; ++i) grad_x[i] = grad_y[i] * factor;
    }
    if (grad_inputs[1] != nullptr) {
      (*grad_inputs[1])[c] = static_cast<float>((dot - sum * (*inputs[3])[c]) * deviation);
    }
    if (grad_inputs[2] != nullptr) (*grad_inputs[2])[c] = static_cast<float>(sum);
  });
}

}  // namespace sparsify
