// What a convolution does to its sums before storing them: y = activation(sum + bias +
// residual). The bias is passed beside the weights.
#pragma once

namespace sparsify {

enum class ActivationKind {
  kNone,
  kRelu,
  kClip,         // min(max(x, alpha), beta)
  kHardSigmoid,  // min(max(alpha·x + beta, 0), 1)
  kHardSwish,    // x · min(max(x/6 + 1/2, 0), 1)
  kSigmoid,      // 1 / (1 + exp(-x))
  kSilu,         // x · sigmoid(x)
};

struct Activation {
  ActivationKind kind = ActivationKind::kNone;
  float alpha = 0;
  float beta = 0;

  bool operator==(const Activation&) const = default;
};

struct Epilogue {
  Activation activation;
  /// A tensor of the output's shape is added before the activation.
  bool add_residual = false;

  bool operator==(const Epilogue&) const = default;
};

/// The scalar definition: what every kernel computes, to rounding.
float Activate(const Activation& activation, float x);

}  // namespace sparsify
