// Reorders between the lane layout and those of others: each is a sequence of transposed
// matrices, images × positions, images × channels or positions × channels.
#include <algorithm>
#include <cstring>

#include "sparsity/base/rounding.h"
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

/// Some channels of a block, or of the rest that is no whole block.
struct BlockPart {
  int64_t group;
  int64_t first;  // channel
  int64_t channels;
  int64_t offset;  // floats to the first channel's first position in image 0 of the group
  int64_t rows;    // each of `width` positions one after the other
  int64_t width;
};

/// Calls body(part) for each block; those of all channels in parts, so that there is work for all
/// threads.
template <class Body>
void ForParts(const LaneContext& context, const LaneShape& shape, int block, const Body& body) {
  constexpr int64_t kMostChannels = 64;
  const int64_t chunk = std::min<int64_t>(block, kMostChannels);
  const int64_t chunks = CeilDiv(block, chunk);
  const int64_t blocks = CeilDiv(shape.channels, block);
  const int64_t block_floats = shape.height * shape.width * block;
  const bool joined = shape.halo == 0 && shape.lanes == 1;
  ParallelRange(context.threads, shape.groups() * blocks * chunks, [&](int64_t i) {
    const int64_t group = i / (blocks * chunks);
    const int64_t index = i / chunks % blocks;
    const int64_t begin = i % chunks * chunk;  // within the block
    const int64_t end =
        std::min(begin + chunk, std::min<int64_t>(block, shape.channels - index * block));
    if (begin >= end) return;
    body(BlockPart{group, index * block + begin, end - begin,
                   (group * shape.lanes * blocks + index) * block_floats + begin,
                   joined ? 1 : shape.height, joined ? shape.height * shape.width : shape.width});
  });
}

/// Floats of an image in blocks.
int64_t BlockedImage(const LaneShape& shape, int block) {
  return CeilDiv(shape.channels, block) * shape.height * shape.width * block;
}

}  // namespace

void BlockedToLanes(const LaneContext& context, const float* blocked, int block,
                    const LaneView& out) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const LaneShape& shape = out.shape;
  const int64_t plane = shape.plane_stride();
  const int64_t image = BlockedImage(shape, block);
  ForParts(context, shape, block, [&](const BlockPart& part) {
    const float* from = blocked + part.offset;
    for (int64_t y = 0; y < part.rows; ++y) {
      float* to = out.Plane(part.group, part.first) + y * shape.row_stride();
      if (shape.lanes == 1) {
        kernels.transpose(from, block, part.width, part.channels, to, plane);
        from += part.width * block;
        continue;
      }
      for (int64_t x = 0; x < part.width; ++x, from += block, to += shape.lanes) {
        kernels.transpose(from, image, LanesUsed(shape, part.group), part.channels, to, plane);
      }
    }
  });
}

void LanesToBlocked(const LaneContext& context, const LaneView& in, int block,
                    float* blocked) noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context.isa);
  const LaneShape& shape = in.shape;
  const int64_t plane = shape.plane_stride();
  const int64_t image = BlockedImage(shape, block);
  ForParts(context, shape, block, [&](const BlockPart& part) {
    float* to = blocked + part.offset;
    const int64_t images = LanesUsed(shape, part.group);
    if (part.channels < block && shape.channels % block != 0) {  // the rest of the block is zeros
      for (int64_t n = 0; n < images; ++n) {
        std::fill_n(to + n * image, shape.height * shape.width * block, 0.0F);
      }
    }
    for (int64_t y = 0; y < part.rows; ++y) {
      const float* from = in.Plane(part.group, part.first) + y * shape.row_stride();
      if (shape.lanes == 1) {
        kernels.transpose(from, plane, part.channels, part.width, to, block);
        to += part.width * block;
        continue;
      }
      for (int64_t x = 0; x < part.width; ++x, to += block, from += shape.lanes) {
        kernels.transpose(from, plane, part.channels, images, to, image);
      }
    }
  });
}

}  // namespace sparsify
