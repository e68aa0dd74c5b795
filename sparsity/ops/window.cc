#include "sparsity/ops/window.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

constexpr int64_t kLimit = int64_t{1} << 31;  // keeps every product below 2^63

// `count` integers in [low, 2^31), or `count` times the fallback.
std::vector<int64_t> Bounded(const Node& node, std::string_view key, size_t count, int64_t low) {
  const auto values = node.attributes.Ints(key, std::vector<int64_t>(count, low));
  if (values.size() != count) {
    FailNode(node, "attribute {} has {} values, {} expected (2-D only)", key, values.size(), count);
  }
  for (const int64_t v : values) {
    if (v < low || v >= kLimit) FailNode(node, "attribute {} holds {}, at least {}", key, v, low);
  }
  return values;
}

void PadLikeSame(WindowAxis& axis, bool upper) {
  const int64_t output = (axis.input + axis.stride - 1) / axis.stride;
  const int64_t total =
      std::max<int64_t>(0, (output - 1) * axis.stride + axis.Extent() - axis.input);
  axis.pad_begin = upper ? total / 2 : total - total / 2;
  axis.pad_end = total - axis.pad_begin;
}

void ResolveOutput(const Node& node, WindowAxis& axis, bool ceil_mode) {
  const int64_t room = axis.input + axis.pad_begin + axis.pad_end - axis.Extent();
  if (room < 0) {
    FailNode(node,
             "a window of {} positions does not fit in {} input positions padded by {} and {}",
             axis.Extent(), axis.input, axis.pad_begin, axis.pad_end);
  }
  axis.output = room / axis.stride + 1;
  const bool starts_inside = axis.output * axis.stride < axis.input + axis.pad_begin;
  if (ceil_mode && room % axis.stride != 0 && starts_inside) ++axis.output;
}

}  // namespace

Window ResolveWindow(const Node& node, const Shape& input, int64_t kernel_h, int64_t kernel_w) {
  const auto strides = Bounded(node, "strides", 2, 1);
  const auto dilations = Bounded(node, "dilations", 2, 1);
  const std::string auto_pad = node.attributes.String("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID" && !auto_pad.empty()) {
    FailNode(node, "unknown auto_pad \"{}\"; known: NOTSET, SAME_UPPER, SAME_LOWER, VALID",
             auto_pad);
  }
  const bool explicit_pads = auto_pad == "NOTSET" || auto_pad.empty();
  const auto pads = explicit_pads ? Bounded(node, "pads", 4, 0) : std::vector<int64_t>(4, 0);
  const bool ceil_mode = node.attributes.Int("ceil_mode", 0) != 0 && !same;

  Window window;
  const int64_t kernel[2] = {kernel_h, kernel_w};
  WindowAxis* axes[2] = {&window.height, &window.width};
  for (size_t i = 0; i < 2; ++i) {
    WindowAxis& axis = *axes[i];
    if (kernel[i] < 1 || kernel[i] >= kLimit)
      FailNode(node, "kernel size {} is not positive", kernel[i]);
    axis = {input[static_cast<int>(i) + 2],
            1,
            kernel[i],
            strides[i],
            dilations[i],
            pads[i],
            pads[i + 2]};
    if (same) PadLikeSame(axis, auto_pad == "SAME_UPPER");
    ResolveOutput(node, axis, ceil_mode);
  }
  return window;
}

TapRange ValidOutputs(const WindowAxis& axis, int64_t offset) {
  const int64_t first = axis.pad_begin - offset;  // position · stride >= first
  const int64_t begin = first <= 0 ? 0 : (first + axis.stride - 1) / axis.stride;
  const int64_t last = axis.input - 1 + first;  // position · stride <= last
  const int64_t end = last < 0 ? 0 : last / axis.stride + 1;
  return {std::min(begin, axis.output), std::clamp(end, std::min(begin, axis.output), axis.output)};
}

}  // namespace sparsify
