// The shape of one convolution bound to a batch and a lane layout: all that a kernel may be
// specialised for, weights excepted.
#pragma once

#include <cstdint>
#include <string>

#include "sparsity/executor/kernels/lane_tensor.h"

namespace sparsify {

struct ConvGeometry {
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  int64_t groups = 1;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t in_h = 1, in_w = 1;
  int64_t out_h = 1, out_w = 1;
  int64_t batch = 1;
  int lanes = 1;
  /// Halos of the buffers that Run will get.
  int in_halo = 0;
  int out_halo = 0;
  int residual_halo = 0;
  /// When positive, the rows of the whole output, of which Run computes out_h at a time: a band.
  /// Rows of a band past the last are computed from zeros. Output and residual are the band's.
  int64_t band_of = 0;
  /// Floats from one channel of a band to the next; 0: as a tensor of out_h rows has it.
  int64_t out_plane = 0;

  /// The input halo that kernels need: 0, they make the zeros of the pads themselves. A
  /// wider halo is read where the pads reach into it.
  int required_halo() const { return 0; }
  LaneShape InShape() const;
  LaneShape OutShape() const;
  LaneShape ResidualShape() const;
  /// Weights of one output channel.
  int64_t taps() const { return in_channels / groups * kernel_h * kernel_w; }
  /// Multiply-adds of the dense convolution, whole batch.
  int64_t macs() const { return batch * out_channels * out_h * out_w * taps(); }

  /// Throws Error("where: …") unless the numbers fit together: positive sizes, channels
  /// divisible by groups, lanes of 1, 8 or 16, an output that the pads and the stride
  /// give, no negative halo.
  void Validate(const std::string& where) const;
};

}  // namespace sparsify
