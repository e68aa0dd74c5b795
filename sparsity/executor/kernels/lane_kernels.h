// Per-plane and per-row bodies of the lane operators, one table an instruction set; the
// public functions of lane_ops.h add the loop over planes and the threads.
#pragma once

#include <cstdint>

#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernels/conv_geometry.h"
#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/executor/kernels/lane_ops.h"

namespace sparsify {

/// One channel plane of one group of images.
struct PlaneView {
  float* data = nullptr;  // interior
  int64_t height = 0;
  int64_t width = 0;
  int64_t row_stride = 0;  // floats
  int lanes = 1;
};

enum class PoolKind { kMax, kAverage };

struct DepthwisePlane {
  const float* weight;  // kernel_h×kernel_w
  float bias;
  const float* residual;  // interior, or null
  int64_t residual_stride;
};

struct LaneKernels {
  void (*pool)(PoolKind kind, const PoolGeometry& pool, const PlaneView& in, const PlaneView& out);
  void (*mean)(const PlaneView& in, float* out);  // out: lanes floats
  /// Rows of `count` floats.
  void (*activate)(const float* in, int64_t count, const Activation& activation, float* out);
  void (*add)(const float* a, const float* b, int64_t count, const Activation& activation,
              float* out);
  void (*multiply)(const float* a, const float* b, int64_t count, const Activation& activation,
                   float* out);
  /// b: `lanes` floats for all positions.
  void (*scale)(const float* a, const float* b, int lanes, int64_t count,
                const Activation& activation, float* out);
  /// to[c · to_stride + r] = from[r · from_stride + c].
  void (*transpose)(const float* from, int64_t from_stride, int64_t rows, int64_t columns,
                    float* to, int64_t to_stride);
  void (*depthwise)(const ConvGeometry& geometry, const DepthwisePlane& plane,
                    const Activation& activation, const float* in, float* out);
  /// A row of a bitmask weight times one input.
  float (*masked_dot)(const uint16_t* masks, const float* values, const float* x, int64_t count);
};

const LaneKernels& LaneKernelsFor(Isa isa);

// The compilations of lane_kernels.inc.
extern const LaneKernels kLaneKernelsScalar;
extern const LaneKernels kLaneKernelsAvx2;
extern const LaneKernels kLaneKernelsAvx512;

}  // namespace sparsify
