// The activation layout of the sparse executor: lanes of a vector are images (or, with one
// lane, neighbouring positions), and every channel plane carries its own zero padding.
//
// A tensor of shape N×C×H×W with L lanes and halo h is stored as float
// [ceil(N/L)][C][plane], a plane being [H+2h][W+2h][L] floats rounded up to a stride that
// keeps every plane 64-byte aligned and spreads the channels over the cache sets: never
// compute that stride by hand, ask LaneShape. Image n is lane n mod L of group n div L.
// Invariants every kernel keeps and relies on:
//  * the halo is zero: kernels write the interior only;
//  * lanes past the last image and the tail of a plane hold arbitrary floats that reach no
//    other lane or position; they must have been initialised once (ZeroLanes does).
#pragma once

#include <cstdint>

namespace sparsify {

/// Shape and strides, all in floats.
struct LaneShape {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t height = 1;
  int64_t width = 1;
  int lanes = 1;  // 1, 8 or 16
  int halo = 0;   // rings of zeros around each plane
  /// From one channel to the next where that is another shape's; 0: as this shape needs it.
  int64_t other_plane = 0;

  int64_t groups() const { return (batch + lanes - 1) / lanes; }
  int64_t row_stride() const { return (width + 2 * halo) * lanes; }
  /// From one channel to the next: a multiple of 16 unless the plane is smaller than that.
  int64_t plane_stride() const;
  /// Floats of the buffer.
  int64_t size() const { return groups() * channels * plane_stride(); }
  /// Floats from the start of a plane to position (0, 0) of its interior.
  int64_t interior() const { return halo * row_stride() + static_cast<int64_t>(halo) * lanes; }
  /// Floats from the start of the buffer to an element.
  int64_t Offset(int64_t image, int64_t channel, int64_t y, int64_t x) const;

  bool operator==(const LaneShape&) const = default;
};

/// A tensor in memory. `data` is 64-byte aligned. A view may be a range of the channels of
/// a wider buffer (so that a concatenation is written in place): then `data` points at the
/// first channel of the range and `buffer_channels` is the channel count of the buffer.
struct LaneView {
  float* data = nullptr;
  LaneShape shape;
  int64_t buffer_channels = 0;  // 0: shape.channels

  /// From one group of images to the next, in floats.
  int64_t group_stride() const {
    return (buffer_channels > 0 ? buffer_channels : shape.channels) * shape.plane_stride();
  }
  /// First float of the interior of a plane.
  float* Plane(int64_t group, int64_t channel) const {
    return data + group * group_stride() + channel * shape.plane_stride() + shape.interior();
  }
};

/// `count` channels of `view` from `first` on.
LaneView ChannelRange(const LaneView& view, int64_t first, int64_t count);

/// Zeroes everything: halo, tails and interior.
void ZeroLanes(const LaneView& view) noexcept;

/// Zeroes the halo and the tails of the planes, for buffers that held another tensor before.
void ZeroHalo(const LaneView& view) noexcept;

}  // namespace sparsify
