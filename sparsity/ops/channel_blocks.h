// Activations in blocks of channels: N×C/16×H×W×16 in memory instead of N×C×H×W, as convolutions
// compute fastest. The shape of such a tensor stays N×C×H×W.
#pragma once

#include <cstdint>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

inline constexpr int64_t kChannelBlock = 16;

/// Whether the activations that a node reads (x) and makes (y) lie in channel blocks.
struct NodeBlocks {
  bool x = false;
  bool y = false;
};

/// The same activations (N×C×…, C a multiple of kChannelBlock) in the other layout; `to` is
/// resized.
void ToChannelBlocks(const Tensor& plain, Tensor& to);
void FromChannelBlocks(const Tensor& blocked, Tensor& to);

}  // namespace sparsify
