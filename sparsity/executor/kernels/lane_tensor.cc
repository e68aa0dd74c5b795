#include "sparsity/executor/kernels/lane_tensor.h"

#include <algorithm>
#include <cstring>

namespace sparsify {
namespace {

constexpr int64_t kLine = 16;       // floats of a cache line
constexpr int64_t kPageLines = 64;  // lines of 4 KB: planes that far apart share their sets

void Zero(float* data, int64_t count) {
  std::memset(data, 0, static_cast<size_t>(count) * sizeof(float));
}

}  // namespace

int64_t LaneShape::plane_stride() const {
  if (other_plane > 0) return other_plane;
  const int64_t exact = (height + 2 * halo) * row_stride();
  if (exact < kLine) return exact;
  int64_t lines = (exact + kLine - 1) / kLine;
  if (lines < kPageLines) return lines * kLine;
  // Consecutive planes begin at least 5 sets apart, also modulo half the sets, so a tile of
  // the same position in many channels fits the first-level cache.
  constexpr int64_t kHalf = kPageLines / 2;
  constexpr int64_t kApart = 5;
  while (lines % kHalf < kApart || lines % kHalf > kHalf - kApart) ++lines;
  return lines * kLine;
}

int64_t LaneShape::Offset(int64_t image, int64_t channel, int64_t y, int64_t x) const {
  return ((image / lanes) * channels + channel) * plane_stride() + interior() + y * row_stride() +
         x * lanes + image % lanes;
}

LaneView ChannelRange(const LaneView& view, int64_t first, int64_t count) {
  LaneView range = view;
  range.buffer_channels = view.buffer_channels > 0 ? view.buffer_channels : view.shape.channels;
  range.data = view.data + first * view.shape.plane_stride();
  range.shape.channels = count;
  return range;
}

void ZeroLanes(const LaneView& view) noexcept {
  const LaneShape& shape = view.shape;
  for (int64_t group = 0; group < shape.groups(); ++group) {
    Zero(view.data + group * view.group_stride(), shape.channels * shape.plane_stride());
  }
}

void ZeroHalo(const LaneView& view) noexcept {
  const LaneShape& shape = view.shape;
  const int64_t row = shape.row_stride();
  const int64_t interior_row = shape.width * shape.lanes;
  for (int64_t group = 0; group < shape.groups(); ++group) {
    for (int64_t channel = 0; channel < shape.channels; ++channel) {
      float* plane = view.Plane(group, channel) - shape.interior();
      Zero(plane, shape.interior());
      for (int64_t y = 0; y + 1 < shape.height; ++y) {
        Zero(plane + shape.interior() + y * row + interior_row, row - interior_row);
      }
      const int64_t end = shape.interior() + (shape.height - 1) * row + interior_row;
      Zero(plane + end, shape.plane_stride() - end);
    }
  }
}

}  // namespace sparsify
