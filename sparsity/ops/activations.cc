#include "sparsity/ops/activations.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

constexpr int64_t kChunk = 1 << 14;

template <class F>
void Map(OpInputs inputs, OpOutputs outputs, F f) {
  const int64_t size = inputs[0]->size();
  ParallelFor((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const float* x = inputs[0]->data();
    float* y = outputs[0]->data();
    const int64_t end = std::min(size, (chunk + 1) * kChunk);
    for (int64_t i = chunk * kChunk; i < end; ++i) y[i] = f(x[i]);
  });
}

float Logistic(float x) { return 1.0F / (1.0F + std::exp(-x)); }

}  // namespace

void ReluForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Map(inputs, outputs, [](float x) { return x < 0 ? 0.0F : x; });
}

void ClipForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto low = static_cast<float>(node.attributes.Float("min", -kInfinity));
  const auto high = static_cast<float>(node.attributes.Float("max", kInfinity));
  Map(inputs, outputs, [low, high](float x) {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
  });
}

void SigmoidForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Map(inputs, outputs, Logistic);
}

void HardSigmoidForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const auto alpha = static_cast<float>(node.attributes.Float("alpha", 0.2));
  const auto beta = static_cast<float>(node.attributes.Float("beta", 0.5));
  Map(inputs, outputs, [alpha, beta](float x) { return std::clamp(alpha * x + beta, 0.0F, 1.0F); });
}

void HardSwishForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Map(inputs, outputs, [](float x) { return x * std::clamp(x * (1.0F / 6) + 0.5F, 0.0F, 1.0F); });
}

void SiLUForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Map(inputs, outputs, [](float x) { return x * Logistic(x); });
}

}  // namespace sparsify
