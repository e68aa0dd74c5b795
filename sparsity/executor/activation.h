// The pointwise function a fused step applies to its result before storing it.
#pragma once

#include <optional>
#include <string_view>

#include "sparsity/graph/graph.h"

namespace sparsify {

enum class ActivationKind { kNone, kRelu, kClip, kHardSigmoid, kHardSwish, kSigmoid, kSiLU };

/// y = f(x):
///   kRelu         max(x, 0)
///   kClip         min(max(x, alpha), beta)
///   kHardSigmoid  min(max(alpha·x + beta, 0), 1)
///   kHardSwish    x · min(max(x/6 + 1/2, 0), 1)
///   kSigmoid      1 / (1 + exp(−x))
///   kSiLU         x / (1 + exp(−x))
struct Activation {
  ActivationKind kind = ActivationKind::kNone;
  float alpha = 0;
  float beta = 0;

  bool operator==(const Activation&) const = default;
};

/// "Relu", "Clip", …; "" for kNone.
std::string_view ActivationName(ActivationKind kind);

/// The activation that `node` computes, or nothing when it is another kind of operator.
std::optional<Activation> ActivationOf(const Node& node);

}  // namespace sparsify
