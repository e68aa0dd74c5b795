// Depthwise convolution over the lane layout: one kernel a channel, dense.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/kernels/conv_geometry.h"
#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/executor/kernels/lane_ops.h"
#include "sparsity/executor/kernels/lane_tensor.h"

namespace sparsify {

class DepthwiseConv {
 public:
  /// geometry: in_channels == out_channels == groups. weight: channels×kernel_h×kernel_w;
  /// bias: channels or null. Both are copied. Throws Error on any other geometry.
  DepthwiseConv(const ConvGeometry& geometry, const float* weight, const float* bias,
                const Epilogue& epilogue, const LaneContext& context);

  /// As SparseConv::Run, without scratch.
  void Run(const LaneView& in, const LaneView* residual, const LaneView& out) const noexcept;

  int64_t constant_bytes() const;

 private:
  ConvGeometry geometry_;
  Epilogue epilogue_;
  LaneContext context_;
  std::vector<float> weight_;
  std::vector<float> bias_;
};

}  // namespace sparsify
