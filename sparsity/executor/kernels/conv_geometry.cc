#include "sparsity/executor/kernels/conv_geometry.h"

#include <initializer_list>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

int64_t OutputSize(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t span = in + pads - (dilation * (kernel - 1) + 1);
  return span < 0 ? 0 : span / stride + 1;
}

}  // namespace

LaneShape ConvGeometry::InShape() const { return {batch, in_channels, in_h, in_w, lanes, in_halo}; }

LaneShape ConvGeometry::OutShape() const {
  return {batch, out_channels, out_h, out_w, lanes, out_halo, out_plane};
}

LaneShape ConvGeometry::ResidualShape() const {
  return {batch, out_channels, out_h, out_w, lanes, residual_halo};
}

void ConvGeometry::Validate(const std::string& where) const {
  for (int64_t size : {in_channels, out_channels, groups, kernel_h, kernel_w, stride_h, stride_w,
                       dilation_h, dilation_w, in_h, in_w, out_h, out_w, batch}) {
    if (size < 1) Fail(where, "convolution with a size of {}, expected at least 1", size);
  }
  for (int64_t pad : {pad_top, pad_left, pad_bottom, pad_right}) {
    if (pad < 0) Fail(where, "convolution with a pad of {}, expected at least 0", pad);
  }
  if (in_channels % groups != 0 || out_channels % groups != 0) {
    Fail(where, "{} input and {} output channels do not divide into {} groups", in_channels,
         out_channels, groups);
  }
  if (lanes != 1 && lanes != 8 && lanes != 16) {
    Fail(where, "{} lanes, expected 1, 8 or 16", lanes);
  }
  const int64_t h = OutputSize(in_h, pad_top + pad_bottom, kernel_h, stride_h, dilation_h);
  const int64_t w = OutputSize(in_w, pad_left + pad_right, kernel_w, stride_w, dilation_w);
  const int64_t rows = band_of > 0 ? band_of : out_h;
  if (rows != h || out_w != w) {
    Fail(where, "output of {}x{}, but kernel, stride and pads give {}x{}", rows, out_w, h, w);
  }
  if (in_halo < 0 || out_halo < 0 || residual_halo < 0) {
    Fail(where, "halos of {}, {} and {}, expected at least 0", in_halo, out_halo, residual_halo);
  }
}

}  // namespace sparsify
