// Geometry of a window sliding over height and width: Conv and the pools.
#pragma once

#include <cstdint>

#include "sparsity/graph/graph.h"

namespace sparsify {

struct WindowAxis {
  int64_t input = 1;
  int64_t output = 1;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_begin = 0;
  int64_t pad_end = 0;

  /// Input positions from the first tap to the last.
  int64_t Extent() const { return (kernel - 1) * dilation + 1; }
  auto operator<=>(const WindowAxis&) const = default;
};

struct Window {
  WindowAxis height;
  WindowAxis width;

  auto operator<=>(const Window&) const = default;
};

/// Reads strides, dilations, pads, auto_pad and ceil_mode of `node` for an N×C×H×W input and a
/// kernel of kernel_h × kernel_w. As in ONNX (and ONNX Runtime): auto_pad other than NOTSET
/// replaces pads; with ceil_mode a window that would start in the padding at the end is
/// dropped. Throws Error naming the node when an attribute is out of range or no window fits.
Window ResolveWindow(const Node& node, const Shape& input, int64_t kernel_h, int64_t kernel_w);

/// The output positions [begin, end) whose tap at `offset` (tap · dilation) reads inside the
/// input: 0 <= position · stride − pad_begin + offset < input.
struct TapRange {
  int64_t begin;
  int64_t end;
};
TapRange ValidOutputs(const WindowAxis& axis, int64_t offset);

}  // namespace sparsify
