#include "sparsity/executor/kernels/epilogue.h"

#include <algorithm>
#include <cmath>

namespace sparsify {

float Activate(const Activation& activation, float x) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return std::max(x, 0.0F);
    case ActivationKind::kClip:
      return std::min(std::max(x, activation.alpha), activation.beta);
    case ActivationKind::kHardSigmoid:
      return std::clamp(activation.alpha * x + activation.beta, 0.0F, 1.0F);
    case ActivationKind::kHardSwish:
      return x * std::clamp(x * (1.0F / 6.0F) + 0.5F, 0.0F, 1.0F);
    case ActivationKind::kSigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case ActivationKind::kSilu:
      return x / (1.0F + std::exp(-x));
  }
  return x;
}

}  // namespace sparsify
