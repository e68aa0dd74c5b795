#include "sparsity/executor/kernels/lane_ops.h"

#include <algorithm>
#include <cstring>

#include "sparsity/executor/kernels/lane_kernels.h"
#include "sparsity/executor/kernels/parallel_range.h"

namespace sparsify {
namespace {

/// Calls body(group, channel) for every plane, spread over the context's threads.
template <class Body>
void ForPlanes(const LaneContext& context, const LaneShape& shape, const Body& body) {
  ParallelRange(context.threads, shape.groups() * shape.channels,
                [&](int64_t plane) { body(plane / shape.channels, plane % shape.channels); });
}

PlaneView Plane(const LaneView& view, int64_t group, int64_t channel) {
  const LaneShape& shape = view.shape;
  return {view.Plane(group, channel), shape.height, shape.width, shape.row_stride(), shape.lanes};
}

/// Rows of a plane; one long row when none of the views has a halo.
struct Rows {
  int64_t count;
  int64_t floats;

  template <class... Views>
  explicit Rows(const LaneShape& shape, const Views&... views) {
    const int64_t row = shape.width * shape.lanes;
    const bool joined = ((views.shape.row_stride() == row) && ...);
    count = joined ? 1 : shape.height;
    floats = joined ? row * shape.height : row;
  }
};

void PoolPlanes(const LaneContext& context, PoolKind kind, const PoolGeometry& pool,
                const LaneView& in, const LaneView& out) {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  ForPlanes(context, out.shape, [&](int64_t group, int64_t channel) {
    kernels.pool(kind, pool, Plane(in, group, channel), Plane(out, group, channel));
  });
}

}  // namespace

const LaneKernels& LaneKernelsFor(Isa isa) {
#if defined(SPARSIFY_X86)
  if (isa == Isa::kAvx512) return kLaneKernelsAvx512;
  if (isa == Isa::kAvx2) return kLaneKernelsAvx2;
#endif
  (void)isa;
  return kLaneKernelsScalar;
}

void MaxPool(const LaneContext& context, const PoolGeometry& pool, const LaneView& in,
             const LaneView& out) noexcept {
  PoolPlanes(context, PoolKind::kMax, pool, in, out);
}

void AveragePool(const LaneContext& context, const PoolGeometry& pool, const LaneView& in,
                 const LaneView& out) noexcept {
  PoolPlanes(context, PoolKind::kAverage, pool, in, out);
}

void GlobalAveragePool(const LaneContext& context, const LaneView& in,
                       const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  ForPlanes(context, in.shape, [&](int64_t group, int64_t channel) {
    kernels.mean(Plane(in, group, channel), out.Plane(group, channel));
  });
}

void Add(const LaneContext& context, const LaneView& a, const LaneView& b,
         const Activation& activation, const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const Rows rows(out.shape, a, b, out);
  ForPlanes(context, out.shape, [&](int64_t group, int64_t channel) {
    const float* x = a.Plane(group, channel);
    const float* y = b.Plane(group, channel);
    float* z = out.Plane(group, channel);
    for (int64_t r = 0; r < rows.count; ++r) {
      kernels.add(x + r * a.shape.row_stride(), y + r * b.shape.row_stride(), rows.floats,
                  activation, z + r * out.shape.row_stride());
    }
  });
}

void Multiply(const LaneContext& context, const LaneView& a, const LaneView& b,
              const Activation& activation, const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const bool one = b.shape.height == 1 && b.shape.width == 1;
  const Rows rows = one ? Rows(out.shape, a, out) : Rows(out.shape, a, b, out);
  ForPlanes(context, out.shape, [&](int64_t group, int64_t channel) {
    const float* x = a.Plane(group, channel);
    const float* y = b.Plane(group, channel);
    float* z = out.Plane(group, channel);
    for (int64_t r = 0; r < rows.count; ++r) {
      const float* from = x + r * a.shape.row_stride();
      float* to = z + r * out.shape.row_stride();
      if (one) {
        kernels.scale(from, y, out.shape.lanes, rows.floats, activation, to);
      } else {
        kernels.multiply(from, y + r * b.shape.row_stride(), rows.floats, activation, to);
      }
    }
  });
}

void ActivateLanes(const LaneContext& context, const LaneView& in, const Activation& activation,
                   const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const Rows rows(out.shape, in, out);
  ForPlanes(context, out.shape, [&](int64_t group, int64_t channel) {
    const float* from = in.Plane(group, channel);
    float* to = out.Plane(group, channel);
    for (int64_t r = 0; r < rows.count; ++r) {
      kernels.activate(from + r * in.shape.row_stride(), rows.floats, activation,
                       to + r * out.shape.row_stride());
    }
  });
}

void CopyLanes(const LaneContext& context, const LaneView& in, const LaneView& out) noexcept {
  const Rows rows(out.shape, in, out);
  ForPlanes(context, out.shape, [&](int64_t group, int64_t channel) {
    const float* from = in.Plane(group, channel);
    float* to = out.Plane(group, channel);
    for (int64_t r = 0; r < rows.count; ++r) {
      std::memcpy(to + r * out.shape.row_stride(), from + r * in.shape.row_stride(),
                  rows.floats * sizeof(float));
    }
  });
}

}  // namespace sparsify
