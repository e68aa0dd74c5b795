#include "sparsity/executor/kernels/depthwise.h"

#include "sparsity/base/error.h"
#include "sparsity/executor/kernels/lane_kernels.h"
#include "sparsity/executor/kernels/parallel_range.h"

namespace sparsify {

DepthwiseConv::DepthwiseConv(const ConvGeometry& geometry, const float* weight, const float* bias,
                             const Epilogue& epilogue, const LaneContext& context)
    : geometry_(geometry), epilogue_(epilogue), context_(context) {
  geometry.Validate("depthwise convolution");
  if (geometry.groups != geometry.in_channels || geometry.groups != geometry.out_channels) {
    Fail("depthwise convolution",
         "{} input channels, {} output channels and {} groups, expected "
         "as many of each",
         geometry.in_channels, geometry.out_channels, geometry.groups);
  }
  weight_.assign(weight, weight + geometry.out_channels * geometry.taps());
  bias_.assign(geometry.out_channels, 0.0F);
  if (bias != nullptr) bias_.assign(bias, bias + geometry.out_channels);
}

void DepthwiseConv::Run(const LaneView& in, const LaneView* residual,
                        const LaneView& out) const noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context_.isa);
  const int64_t channels = geometry_.out_channels;
  ParallelRange(context_.threads, geometry_.InShape().groups() * channels, [&](int64_t i) {
    const int64_t group = i / channels;
    const int64_t channel = i % channels;
    DepthwisePlane plane{weight_.data() + channel * geometry_.taps(), bias_[channel], nullptr, 0};
    if (epilogue_.add_residual) {
      plane.residual = residual->Plane(group, channel);
      plane.residual_stride = residual->shape.row_stride();
    }
    kernels.depthwise(geometry_, plane, epilogue_.activation, in.Plane(group, channel),
                      out.Plane(group, channel));
  });
}

int64_t DepthwiseConv::constant_bytes() const {
  return static_cast<int64_t>((weight_.size() + bias_.size()) * sizeof(float));
}

}  // namespace sparsify
