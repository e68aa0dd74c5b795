#include "sparsity/ops/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/axis_gather.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

constexpr double kMaxDim = 2147483648.0;

struct AxisScale {
  int64_t input = 1;
  int64_t output = 1;
  float scale = 1;  // output / input, as given
};

std::string OneOf(const Node& node, std::string_view key, std::string_view fallback,
                  std::initializer_list<std::string_view> known) {
  std::string value = node.attributes.String(key, std::string(fallback));
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    FailNode(node, "{} \"{}\" is not supported; supported: {}", key, value, fmt::join(known, ", "));
  }
  return value;
}

void CheckModes(const Node& node) {
  OneOf(node, "mode", "nearest", {"nearest", "linear"});
  OneOf(node, "coordinate_transformation_mode", "half_pixel",
        {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"});
  OneOf(node, "nearest_mode", "round_prefer_floor",
        {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  OneOf(node, "keep_aspect_ratio_policy", "stretch", {"stretch"});
  if (node.attributes.Int("antialias", 0) != 0) FailNode(node, "antialias 1 is not supported");
}

std::vector<AxisScale> Resolve(const Node& node, const Shape& input) {
  CheckModes(node);
  std::vector<int64_t> every(static_cast<size_t>(input.rank()));
  std::iota(every.begin(), every.end(), 0);
  const auto axes = NormalizeAxes(node, node.attributes.Ints("axes", every), input.rank());
  const auto scales = node.attributes.Floats("scales", {});
  const auto sizes = node.attributes.Ints("sizes", {});
  if (scales.empty() == sizes.empty() || scales.size() + sizes.size() != axes.size()) {
    FailNode(node, "{} scales and {} sizes given for {} axes; one of either an axis expected",
             scales.size(), sizes.size(), axes.size());
  }
  std::vector<AxisScale> result;
  for (const int64_t dim : input.dims()) result.push_back({dim, dim, 1});
  for (size_t i = 0; i < axes.size(); ++i) {
    AxisScale& axis = result[static_cast<size_t>(axes[i])];
    if (!sizes.empty() && sizes[i] == -1) continue;  // as it is: the batch
    const double asked = sizes.empty() ? std::floor(static_cast<double>(axis.input) * scales[i])
                                       : static_cast<double>(sizes[i]);
    if (!(asked >= 1 && asked < kMaxDim)) {
      FailNode(node, "axis {} of {} would be resized to {} elements", axes[i], input.ToString(),
               asked);
    }
    axis.output = static_cast<int64_t>(asked);
    axis.scale = sizes.empty() ? static_cast<float>(scales[i])
                               : static_cast<float>(axis.output) / static_cast<float>(axis.input);
  }
  return result;
}

// Where output index `i` lies in the input (ONNX Resize, coordinate_transformation_mode).
float SourceCoordinate(const std::string& mode, const AxisScale& axis, int64_t i) {
  const auto x = static_cast<float>(i);
  if (axis.scale == 1 && axis.input == axis.output) return x;
  if (mode == "asymmetric") return x / axis.scale;
  if (mode == "align_corners") {
    if (axis.output == 1) return 0;
    return x * static_cast<float>(axis.input - 1) / static_cast<float>(axis.output - 1);
  }
  if (mode == "pytorch_half_pixel" && axis.output == 1) return 0;
  return (x + 0.5F) / axis.scale - 0.5F;
}

float RoundToNearest(const std::string& mode, float x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  if (mode == "round_prefer_ceil") return std::round(x);  // below 0 is clamped anyway
  return std::ceil(x - 0.5F);                             // round_prefer_floor
}

int64_t ClampIndex(float x, int64_t size) {
  return static_cast<int64_t>(std::clamp(x, 0.0F, static_cast<float>(size - 1)));
}

void Nearest(const Node& node, const std::vector<AxisScale>& axes, const Tensor& x, Tensor& y) {
  const std::string mode = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = node.attributes.String("nearest_mode", "round_prefer_floor");
  const auto steps = RowMajorSteps(x.shape());
  AxisGather gather;
  for (size_t a = 0; a < axes.size(); ++a) {
    std::vector<int64_t> offsets;
    for (int64_t i = 0; i < axes[a].output; ++i) {
      const float at = RoundToNearest(rounding, SourceCoordinate(mode, axes[a], i));
      offsets.push_back(ClampIndex(at, axes[a].input) * steps[a]);
    }
    gather.offsets.push_back(std::move(offsets));
  }
  Gather(gather, x, y);
}

// Interpolates axis `a` alone: outer × input × inner to outer × output × inner.
void LinearAxis(const std::string& mode, const AxisScale& axis, int a, const Tensor& x, Tensor& y) {
  const int64_t outer = ProductOf(x.shape(), 0, a);
  const int64_t inner = ProductOf(x.shape(), a + 1, x.shape().rank());
  ParallelFor(outer * axis.output, [&](int64_t line) {
    const float at = std::clamp(SourceCoordinate(mode, axis, line % axis.output), 0.0F,
                                static_cast<float>(axis.input - 1));
    const int64_t low = ClampIndex(std::floor(at), axis.input);
    const int64_t high = std::min(low + 1, axis.input - 1);
    const float weight = at - static_cast<float>(low);
    const float* image = x.data() + line / axis.output * axis.input * inner;
    const float* from_low = image + low * inner;
    const float* from_high = image + high * inner;
    float* to = y.data() + line * inner;
    for (int64_t i = 0; i < inner; ++i) {
      to[i] = from_low[i] * (1 - weight) + from_high[i] * weight;
    }
  });
}

void Linear(const Node& node, const std::vector<AxisScale>& axes, const Tensor& x, Tensor& y) {
  const std::string mode = node.attributes.String("coordinate_transformation_mode", "half_pixel");
  const Tensor* from = &x;
  Tensor held;
  for (size_t a = 0; a < axes.size(); ++a) {
    if (axes[a].scale == 1 && axes[a].input == axes[a].output) continue;
    Shape shape = from->shape();
    shape.set_dim(static_cast<int>(a), axes[a].output);
    Tensor next = Tensor::Uninitialized(shape);
    LinearAxis(mode, axes[a], static_cast<int>(a), *from, next);
    held = std::move(next);
    from = &held;
  }
  std::copy_n(from->data(), from->size(), y.data());
}

}  // namespace

std::vector<Shape> ResizeOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  std::vector<int64_t> dims;
  for (const AxisScale& axis : Resolve(node, inputs[0])) dims.push_back(axis.output);
  return {Shape(dims)};
}

void ResizeForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const auto axes = Resolve(node, inputs[0]->shape());
  if (node.attributes.String("mode", "nearest") == "linear") {
    Linear(node, axes, *inputs[0], *outputs[0]);
  } else {
    Nearest(node, axes, *inputs[0], *outputs[0]);
  }
}

}  // namespace sparsify
