#include "sparsity/ops/activations.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/vector_loops.h"

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

// grad_x[i] = f(x[i], grad_y[i]); grad_x may be grad_y.
template <class F>
void MapGradient(OpInputs inputs, OpInputs grad_outputs, OpOutputs grad_inputs, F f) {
  if (grad_inputs[0] == nullptr) return;
  const int64_t size = inputs[0]->size();
  ParallelFor((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const float* x = inputs[0]->data();
    const float* grad_y = grad_outputs[0]->data();
    float* grad_x = grad_inputs[0]->data();
    const int64_t end = std::min(size, (chunk + 1) * kChunk);
    SPARSIFY_INDEPENDENT
    for (int64_t i = chunk * kChunk; i < end; ++i) grad_x[i] = f(x[i], grad_y[i]);
  });
}

}  // namespace

void ValueRange::Limit(float* x, int64_t count) const {
  for (int64_t i = 0; i < count; ++i) {
    const float raised = x[i] < low ? low : x[i];
    x[i] = raised > high ? high : raised;
  }
}

std::optional<ValueRange> RangeOf(const Node& node) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (node.type == OpType::kRelu) return ValueRange{0, static_cast<float>(kInfinity)};
  if (node.type != OpType::kClip) return std::nullopt;
  return ValueRange{static_cast<float>(node.attributes.Float("min", -kInfinity)),
                    static_cast<float>(node.attributes.Float("max", kInfinity))};
}

void ReluForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Map(inputs, outputs, [](float x) { return x < 0 ? 0.0F : x; });
}

void ClipForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const auto [low, high] = *RangeOf(node);
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

void ReluBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/,
                  OpInputs grad_outputs, OpOutputs grad_inputs) {
  MapGradient(inputs, grad_outputs, grad_inputs, [](float x, float g) { return x > 0 ? g : 0.0F; });
}

void ClipBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                  OpOutputs grad_inputs) {
  const auto [low, high] = *RangeOf(node);
  MapGradient(inputs, grad_outputs, grad_inputs,
              [low, high](float x, float g) { return x > low && x < high ? g : 0.0F; });
}

void SigmoidBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/,
                     OpInputs grad_outputs, OpOutputs grad_inputs) {
  MapGradient(inputs, grad_outputs, grad_inputs,
              [](float x, float g) { return g * Logistic(x) * Logistic(-x); });
}

void HardSigmoidBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/,
                         OpInputs grad_outputs, OpOutputs grad_inputs) {
  const auto alpha = static_cast<float>(node.attributes.Float("alpha", 0.2));
  const auto beta = static_cast<float>(node.attributes.Float("beta", 0.5));
  MapGradient(inputs, grad_outputs, grad_inputs, [alpha, beta](float x, float g) {
    const float line = alpha * x + beta;
    return line > 0 && line < 1 ? alpha * g : 0.0F;
  });
}

void HardSwishBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/,
                       OpInputs grad_outputs, OpOutputs grad_inputs) {
  MapGradient(inputs, grad_outputs, grad_inputs, [](float x, float g) {
    if (x <= -3) return 0.0F;
    return x >= 3 ? g : g * (x * (1.0F / 3) + 0.5F);
  });
}

void SiLUBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/,
                  OpInputs grad_outputs, OpOutputs grad_inputs) {
  MapGradient(inputs, grad_outputs, grad_inputs,
              [](float x, float g) { return g * Logistic(x) * (1 + x * Logistic(-x)); });
}

}  // namespace sparsify
