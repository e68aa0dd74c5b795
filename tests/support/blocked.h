// Tensors in channel blocks and back, for comparisons.
#pragma once

#include "sparsity/ops/channel_blocks.h"

namespace sparsify::testing {

inline Tensor Blocked(const Tensor& plain) {
  Tensor blocked;
  ToChannelBlocks(plain, blocked);
  return blocked;
}

inline Tensor Plain(const Tensor& blocked) {
  Tensor plain;
  FromChannelBlocks(blocked, plain);
  return plain;
}

}  // namespace sparsify::testing
