// Everything of a network that is not a sparse convolution, over the lane layout: pools,
// elementwise operators, concatenation and the reorders from and to the layouts of others.
// Depthwise convolution and fully connected layers have their own headers.
//
// Functions take views of matching shapes (same batch and lanes; halos may differ) and
// write interiors only. An output may be its own input where said.
#pragma once

#include <cstdint>

#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/executor/kernels/lane_tensor.h"

namespace sparsify {

struct LaneContext {
  Isa isa = Isa::kScalar;
  int threads = 1;
};

struct PoolGeometry {
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0;
  /// Also those of the far side: with count_include_pad an average divides by the part of the
  /// window that lies in the padded input.
  int64_t pad_bottom = 0, pad_right = 0;
  bool count_include_pad = false;
};

/// Windows that lie wholly in the padding give 0.
void MaxPool(const LaneContext& context, const PoolGeometry& pool, const LaneView& in,
             const LaneView& out) noexcept;
void AveragePool(const LaneContext& context, const PoolGeometry& pool, const LaneView& in,
                 const LaneView& out) noexcept;
/// out: height and width 1.
void GlobalAveragePool(const LaneContext& context, const LaneView& in,
                       const LaneView& out) noexcept;

/// out = activation(a + b); out may be a or b.
void Add(const LaneContext& context, const LaneView& a, const LaneView& b,
         const Activation& activation, const LaneView& out) noexcept;
/// out = activation(a · b), where b has a's height and width or 1×1 (squeeze and excite);
/// out may be a.
void Multiply(const LaneContext& context, const LaneView& a, const LaneView& b,
              const Activation& activation, const LaneView& out) noexcept;
/// out = activation(in); out may be in.
void ActivateLanes(const LaneContext& context, const LaneView& in, const Activation& activation,
                   const LaneView& out) noexcept;
/// Copies all channels: with ChannelRange on either side, concatenation and slicing.
void CopyLanes(const LaneContext& context, const LaneView& in, const LaneView& out) noexcept;

/// plain: batch×channels×height×width, contiguous.
void PlainToLanes(const LaneContext& context, const float* plain, const LaneView& out) noexcept;
void LanesToPlain(const LaneContext& context, const LaneView& in, float* plain) noexcept;
/// blocked: batch×ceil(channels/block)×height×width×block, block 8 or 16 (nChw8c, nChw16c);
/// channels past the last are written as zeros.
void BlockedToLanes(const LaneContext& context, const float* blocked, int block,
                    const LaneView& out) noexcept;
void LanesToBlocked(const LaneContext& context, const LaneView& in, int block,
                    float* blocked) noexcept;

}  // namespace sparsify
