// In which numbers the layers of a pass compute.
#pragma once

#include <string>

#include "sparsity/graph/graph.h"
#include "sparsity/ops/op.h"

namespace sparsify {

enum class Precision {
  kF32,
  /// Convolutions and fully connected layers round what they multiply (inputs, weights, gradients
  /// of outputs) to bfloat16 and sum in f32, forward and for both gradients. What they give is f32,
  /// as is everything else.
  kBf16,
};

/// Why this machine has no bf16 arithmetic, or empty. Without it bf16 would be computed slower than
/// f32, and is not.
std::string Bf16Obstacle();

/// Why a node stays in f32 in a pass of kBf16, or empty when it computes in bf16. `inputs` are its
/// shapes. Rounding costs a pass over everything that is read and written, which a layer of few
/// multiply-adds does not win back.
std::string F32Reason(const Node& node, OpShapes inputs);

}  // namespace sparsify
