// Reorders between the lane layout and those of others: each is a sequence of transposed
// matrices, images × positions, images × channels or positions × channels.
#include <algorithm>
#include <cstring>

#include "sparsity/executor/kernels/lane_kernels.h"
#include "sparsity/executor/kernels/lane_ops.h"
#include "sparsity/executor/kernels/parallel_range.h"

namespace sparsify {
namespace {

int64_t LanesUsed(const LaneShape& shape, int64_t group) {
  return std::min<int64_t>(shape.lanes, shape.batch - group * shape.lanes);
}

/// Calls body(group, channel, row, first position of the row in a contiguous plane, floats).
template <class Body>
void ForRows(const LaneContext& context, const LaneShape& shape, const Body& body) {
  const bool joined = shape.halo == 0;
  const int64_t rows = joined ? 1 : shape.height;
  const int64_t width = joined ? shape.height * shape.width : shape.width;
  ParallelRange(context.threads, shape.groups() * shape.channels, [&](int64_t plane) {
    for (int64_t row = 0; row < rows; ++row) {
      body(plane / shape.channels, plane % shape.channels, row, width);
    }
  });
}

}  // namespace

void PlainToLanes(const LaneContext& context, const float* plain, const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const LaneShape& shape = out.shape;
  const int64_t plane = shape.height * shape.width;
  ForRows(context, shape, [&](int64_t group, int64_t channel, int64_t row, int64_t width) {
    const float* from =
        plain + (group * shape.lanes * shape.channels + channel) * plane + row * width;
    float* to = out.Plane(group, channel) + row * shape.row_stride();
    if (shape.lanes == 1) {
      std::memcpy(to, from, width * sizeof(float));
    } else {
      kernels.transpose(from, shape.channels * plane, LanesUsed(shape, group), width, to,
                        shape.lanes);
    }
  });
}

void LanesToPlain(const LaneContext& context, const LaneView& in, float* plain) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const LaneShape& shape = in.shape;
  const int64_t plane = shape.height * shape.width;
  ForRows(context, shape, [&](int64_t group, int64_t channel, int64_t row, int64_t width) {
    float* to = plain + (group * shape.lanes * shape.channels + channel) * plane + row * width;
    const float* from = in.Plane(group, channel) + row * shape.row_stride();
    if (shape.lanes == 1) {
      std::memcpy(to, from, width * sizeof(float));
    } else {
      kernels.transpose(from, shape.lanes, width, LanesUsed(shape, group), to,
                        shape.channels * plane);
    }
  });
}

namespace {

/// Calls body(group, first channel, channels, image 0's block of the group) for each block.
template <class Body>
void ForBlocks(const LaneContext& context, const LaneShape& shape, int block, const Body& body) {
  const int64_t blocks = (shape.channels + block - 1) / block;
  const int64_t block_floats = shape.height * shape.width * block;
  ParallelRange(context.threads, shape.groups() * blocks, [&](int64_t i) {
    const int64_t group = i / blocks;
    const int64_t first = i % blocks * block;
    const int64_t offset = (group * shape.lanes * blocks + i % blocks) * block_floats;
    body(group, first, std::min<int64_t>(block, shape.channels - first), offset,
         blocks * block_floats);
  });
}

}  // namespace

void BlockedToLanes(const LaneContext& context, const float* blocked, int block,
                    const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const LaneShape& shape = out.shape;
  const int64_t plane = shape.plane_stride();
  ForBlocks(context, shape, block,
            [&](int64_t group, int64_t first, int64_t channels, int64_t offset, int64_t image) {
              const float* from = blocked + offset;
              for (int64_t y = 0; y < shape.height; ++y) {
                float* to = out.Plane(group, first) + y * shape.row_stride();
                if (shape.lanes == 1) {
                  kernels.transpose(from, block, shape.width, channels, to, plane);
                  from += shape.width * block;
                  continue;
                }
                for (int64_t x = 0; x < shape.width; ++x, from += block, to += shape.lanes) {
                  kernels.transpose(from, image, LanesUsed(shape, group), channels, to, plane);
                }
              }
            });
}

void LanesToBlocked(const LaneContext& context, const LaneView& in, int block,
                    float* blocked) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const LaneShape& shape = in.shape;
  const int64_t plane = shape.plane_stride();
  ForBlocks(context, shape, block,
            [&](int64_t group, int64_t first, int64_t channels, int64_t offset, int64_t image) {
              float* to = blocked + offset;
              const int64_t images = LanesUsed(shape, group);
              if (channels < block) {
                for (int64_t n = 0; n < images; ++n) {
                  std::fill_n(to + n * image, shape.height * shape.width * block, 0.0F);
                }
              }
              for (int64_t y = 0; y < shape.height; ++y) {
                const float* from = in.Plane(group, first) + y * shape.row_stride();
                if (shape.lanes == 1) {
                  kernels.transpose(from, plane, channels, shape.width, to, block);
                  to += shape.width * block;
                  continue;
                }
                for (int64_t x = 0; x < shape.width; ++x, to += block, from += shape.lanes) {
                  kernels.transpose(from, plane, channels, images, to, image);
                }
              }
            });
}

}  // namespace sparsify
