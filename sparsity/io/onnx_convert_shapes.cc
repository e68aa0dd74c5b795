// Operators that move elements: ReduceMean, Reshape, Transpose, Pad, Slice, Split, Resize.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "sparsity/io/onnx_convert.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxExtent = 1 << 16;
constexpr int64_t kMaxDim = int64_t{1} << 40;

template <class Names>
void CheckOneOf(const OnnxNode& in, std::string_view what, const std::string& value,
                const Names& names) {
  if (std::find(names.begin(), names.end(), value) == names.end()) {
    in.Refuse("{} \"{}\" is not supported; supported: {}", what, value,
              fmt::format("{}", fmt::join(names, ", ")));
  }
}

void CheckDistinct(const OnnxNode& in, std::vector<int64_t> axes) {
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    in.Refuse("an axis is listed twice");
  }
}

// scales or sizes of Resize; exactly one of them.
void SetResizeTarget(OnnxNode& in, Node& out, const std::vector<double>& scales,
                     const std::vector<int64_t>& sizes) {
  if (scales.empty() == sizes.empty()) in.Refuse("needs either scales or sizes");
  for (const double s : scales) {
    if (!(s > 0 && s <= static_cast<double>(kMaxExtent))) in.Refuse("scales holds {}", s);
  }
  for (const int64_t s : sizes) {
    if (s < 1 || s > kMaxDim) in.Refuse("sizes holds {}", s);
  }
  if (scales.empty()) {
    out.attributes.Set("sizes", sizes);
  } else {
    out.attributes.Set("scales", scales);
  }
}

// Opset 9 and 10 sample asymmetrically; "nearest" rounds down, or up when it shrinks.
void SetOldSampling(OnnxNode& in, Node& out, const std::vector<double>& scales) {
  const bool grows = std::any_of(scales.begin(), scales.end(), [](double s) { return s > 1; });
  const bool shrinks = std::any_of(scales.begin(), scales.end(), [](double s) { return s < 1; });
  if (grows && shrinks) in.Refuse("enlarges one axis and shrinks another, which is not supported");
  out.attributes.Set("coordinate_transformation_mode", "asymmetric");
  out.attributes.Set("nearest_mode", shrinks ? "ceil" : "floor");
}

void ReadResizeModes(OnnxNode& in, Node& out) {
  constexpr auto kCoordinates = std::to_array<std::string_view>(
      {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"});
  constexpr auto kNearest =
      std::to_array<std::string_view>({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  const auto coordinates = in.String("coordinate_transformation_mode", "half_pixel");
  CheckOneOf(in, "coordinate_transformation_mode", coordinates, kCoordinates);
  const auto nearest = in.String("nearest_mode", "round_prefer_floor");
  CheckOneOf(in, "nearest_mode", nearest, kNearest);
  out.attributes.Set("coordinate_transformation_mode", coordinates);
  out.attributes.Set("nearest_mode", nearest);
  if (in.Int("exclude_outside", 0) != 0) in.Refuse("exclude_outside is not supported");
  in.Float("extrapolation_value", 0);  // read by a refused coordinate mode only
  in.Float("cubic_coeff_a", 0);        // likewise
  if (in.opset() < 18) return;
  if (in.Int("antialias", 0) != 0) in.Refuse("antialias is not supported");
  const auto policy = in.String("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch") in.Refuse("keep_aspect_ratio_policy \"{}\" is not supported", policy);
  if (in.HasAttribute("axes")) out.attributes.Set(kMarkResizeAxes, in.Ints("axes", {}));
}

void ReadResizeMode(OnnxNode& in, Node& out) {
  constexpr auto kModes = std::to_array<std::string_view>({"nearest", "linear"});
  const auto mode = in.String("mode", "nearest");
  CheckOneOf(in, "mode", mode, kModes);
  out.attributes.Set("mode", mode);
}

}  // namespace

void ConvertReduceMean(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  out.attributes.Set("keepdims", int64_t{in.Int("keepdims", 1) != 0});
  std::vector<int64_t> axes;
  if (in.opset() < 18) {
    axes = in.Ints("axes", {});
  } else {
    axes = in.InputInts(1, "axes").value_or(std::vector<int64_t>{});
    if (in.Int("noop_with_empty_axes", 0) != 0 && axes.empty()) {
      out.type = OpType::kIdentity;
      out.attributes = {};
      return;
    }
  }
  CheckDistinct(in, axes);
  if (!axes.empty()) out.attributes.Set("axes", axes);
}

void ConvertReshape(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  const auto shape = *in.InputInts(1, "shape");
  if (std::count(shape.begin(), shape.end(), -1) > 1) in.Refuse("shape holds several -1");
  for (const int64_t d : shape) {
    if (d < -1 || d > kMaxDim) in.Refuse("shape holds {}", d);
  }
  out.attributes.Set("shape", shape);
  const bool allow_zero = in.opset() >= 14 && in.Int("allowzero", 0) != 0;
  if (allow_zero && std::count(shape.begin(), shape.end(), 0) > 0) {
    in.Refuse("allowzero with a dimension of 0 makes an empty tensor, which is not supported");
  }
}

void ConvertTranspose(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  if (!in.HasAttribute("perm")) return;
  const auto perm = in.Ints("perm", {});
  std::vector<int64_t> sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (std::cmp_not_equal(sorted[i], i)) in.Refuse("perm is not a permutation");
  }
  out.attributes.Set("perm", perm);
}

void ConvertPad(OnnxNode& in, Node& out) {
  constexpr auto kModes = std::to_array<std::string_view>({"constant", "reflect", "edge"});
  out.inputs = {in.Input(0)};
  const auto mode = in.String("mode", "constant");
  CheckOneOf(in, "mode", mode, kModes);
  out.attributes.Set("mode", mode);
  std::vector<int64_t> pads;
  std::vector<double> value = {0};
  if (in.opset() < 11) {
    pads = in.Ints("pads", {});
    value = {in.Float("value", 0)};
  } else {
    pads = *in.InputInts(1, "pads");
    value = in.InputFloats(2, "constant_value").value_or(value);
    if (const auto axes = in.InputInts(3, "axes")) {
      CheckDistinct(in, *axes);
      if (pads.size() != 2 * axes->size()) in.Refuse("pads and axes differ in length");
      out.attributes.Set(kMarkPadAxes, *axes);
    }
  }
  if (pads.empty() || pads.size() % 2 != 0) in.Refuse("pads has {} entries", pads.size());
  if (value.size() != 1) in.Refuse("constant_value holds {} values", value.size());
  for (const int64_t p : pads) {
    if (p < -kMaxExtent || p > kMaxExtent) in.Refuse("pads holds {}", p);
  }
  out.attributes.Set("pads", pads);
  out.attributes.Set("constant_value", value.front());
}

void ConvertSlice(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  const bool folded = in.opset() >= 10;
  const auto starts = folded ? *in.InputInts(1, "starts") : in.Ints("starts", {});
  const auto ends = folded ? *in.InputInts(2, "ends") : in.Ints("ends", {});
  std::vector<int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  std::vector<int64_t> steps(starts.size(), 1);
  if (folded) {
    axes = in.InputInts(3, "axes").value_or(axes);
    steps = in.InputInts(4, "steps").value_or(steps);
  } else {
    axes = in.Ints("axes", axes);
  }
  const size_t count = starts.size();
  if (count == 0 || ends.size() != count || axes.size() != count || steps.size() != count) {
    in.Refuse(
        "starts, ends, axes and steps have {}, {}, {} and {} entries, expected as many of each",
        count, ends.size(), axes.size(), steps.size());
  }
  CheckDistinct(in, axes);
  for (const int64_t s : steps) {
    if (s == 0 || s < -kMaxExtent || s > kMaxExtent) in.Refuse("steps holds {}", s);
  }
  out.attributes.Set("starts", starts);
  out.attributes.Set("ends", ends);
  out.attributes.Set("axes", axes);
  out.attributes.Set("steps", steps);
}

void ConvertSplit(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  out.attributes.Set("axis", in.Int("axis", 0));
  std::vector<int64_t> split;
  if (in.opset() < 13) {
    split = in.Ints("split", {});
  } else {
    split = in.InputInts(1, "split").value_or(split);
  }
  const int outputs = in.num_outputs();
  if (in.opset() >= 18) {
    const int64_t parts = in.Int("num_outputs", 0);
    if (in.HasAttribute("num_outputs") == !split.empty()) {
      in.Refuse("needs either the input split or the attribute num_outputs");
    }
    if (split.empty() && parts != outputs) {
      in.Refuse("num_outputs is {}, the node has {} outputs", parts, outputs);
    }
    if (split.empty()) out.attributes.Set(kMarkUneven, int64_t{1});
  }
  if (split.empty()) return;
  if (std::cmp_not_equal(split.size(), outputs)) {
    in.Refuse("split has {} entries for {} outputs", split.size(), outputs);
  }
  for (const int64_t s : split) {
    if (s < 1 || s > kMaxDim) in.Refuse("split holds {}", s);
  }
  out.attributes.Set("split", split);
}

void ConvertResize(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  ReadResizeMode(in, out);
  if (in.opset() == 10) {
    const auto scales = *in.InputFloats(1, "scales");
    SetResizeTarget(in, out, scales, {});
    SetOldSampling(in, out, scales);
    return;
  }
  ReadResizeModes(in, out);  // input 1, roi, is read by a refused coordinate mode only
  SetResizeTarget(in, out, in.InputFloats(2, "scales").value_or(std::vector<double>{}),
                  in.InputInts(3, "sizes").value_or(std::vector<int64_t>{}));
}

void ConvertUpsample(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  ReadResizeMode(in, out);
  const auto scales = *in.InputFloats(1, "scales");
  for (const double s : scales) {
    if (s < 1) in.Refuse("scales holds {}, expected at least 1", s);
  }
  SetResizeTarget(in, out, scales, {});
  SetOldSampling(in, out, scales);
}

}  // namespace sparsify
