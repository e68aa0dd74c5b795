// In which numbers the layers of a pass compute.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/ops/op.h"

namespace sparsify {

enum class Precision {
  kF32,
  /// Convolutions and fully connected layers round what they multiply (inputs, weights, gradients
  /// of outputs) to bfloat16 and sum in f32, forward and for both gradients. What they give is f32,
  /// as is everything else.
  kBf16,
};

/// Of the word for it in a configuration, "f32" or "bf16".
Precision PrecisionOf(std::string_view word);

/// Why this machine has no bf16 arithmetic, or empty. Without it bf16 would be computed slower than
/// f32, and is not.
std::string Bf16Obstacle();

/// Why a node stays in f32 in a pass of kBf16, or empty when it computes in bf16. `inputs` are its
/// shapes. Rounding costs a pass over everything that is read and written, which a layer of few
/// multiply-adds does not win back.
std::string F32Reason(const Node& node, OpShapes inputs);

/// Throws a usage Error naming `key` when this machine does not compute in the precision.
void CheckPrecision(Precision precision, std::string_view key);

/// "7 of 9 layers compute in bf16; f32: 2 (depthwise)", of a pass of kBf16 with activations of
/// these shapes (by ValueId).
std::string CountBf16Layers(const Graph& graph, const std::vector<Layer>& layers,
                            const std::vector<Shape>& shapes);

}  // namespace sparsify
