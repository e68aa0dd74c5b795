// Which operators are activations that a fused step can apply to its result.
#pragma once

#include <optional>
#include <string_view>

#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

/// "Relu", "Clip", …; "" for kNone.
std::string_view ActivationName(ActivationKind kind);

/// The activation that `node` computes, or nothing when it is another kind of operator.
std::optional<Activation> ActivationOf(const Node& node);

}  // namespace sparsify
