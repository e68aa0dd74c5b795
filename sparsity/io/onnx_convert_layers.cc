// Conv, BatchNormalization, Gemm, MatMul, pooling and LRN.
#include <algorithm>
#include <cmath>

#include "sparsity/io/onnx_convert.h"

namespace sparsify {
namespace {

// No kernel, stride, dilation or pad of a real network comes near this.
constexpr int64_t kMaxExtent = 1 << 16;

std::vector<int64_t> CheckedExtents(const OnnxNode& in, std::string_view name, int64_t low,
                                    size_t count, std::vector<int64_t> values) {
  if (values.size() != count) {
    in.Refuse("{} has {} entries, expected {} (2-D images)", name, values.size(), count);
  }
  for (const int64_t v : values) {
    if (v < low || v > kMaxExtent) {
      in.Refuse("{} holds {}, expected {} to {}", name, v, low, kMaxExtent);
    }
  }
  return values;
}

// kernel_shape, strides, dilations and pads; auto_pad becomes pads or a mark.
void ReadWindow(OnnxNode& in, Node& out, std::vector<int64_t> kernel, bool dilated) {
  Attributes& attributes = out.attributes;
  attributes.Set("kernel_shape", CheckedExtents(in, "kernel_shape", 1, 2, std::move(kernel)));
  attributes.Set("strides", CheckedExtents(in, "strides", 1, 2, in.Ints("strides", {1, 1})));
  const auto dilations = dilated ? in.Ints("dilations", {1, 1}) : std::vector<int64_t>{1, 1};
  attributes.Set("dilations", CheckedExtents(in, "dilations", 1, 2, dilations));
  const bool has_pads = in.HasAttribute("pads");
  const auto pads = CheckedExtents(in, "pads", 0, 4, in.Ints("pads", {0, 0, 0, 0}));
  attributes.Set("pads", pads);
  const std::string auto_pad = in.String("auto_pad", "NOTSET");
  if (auto_pad == "NOTSET") return;
  if (has_pads && pads != std::vector<int64_t>{0, 0, 0, 0}) {
    in.Refuse("has both pads and auto_pad {}", auto_pad);
  }
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    attributes.Set(kMarkAutoPad, auto_pad);
  } else if (auto_pad != "VALID") {
    in.Refuse("auto_pad is \"{}\", expected NOTSET, SAME_UPPER, SAME_LOWER or VALID", auto_pad);
  }
}

void ReadPool(OnnxNode& in, Node& out, bool dilated) {
  out.inputs = {in.Input(0)};
  if (!in.HasAttribute("kernel_shape")) in.Refuse("attribute \"kernel_shape\" is missing");
  ReadWindow(in, out, in.Ints("kernel_shape", {}), dilated);
  const bool same = out.attributes.Has(kMarkAutoPad);
  const int64_t ceil_mode = in.opset() >= 10 ? in.Int("ceil_mode", 0) : 0;
  out.attributes.Set("ceil_mode", int64_t{ceil_mode != 0 && !same});
}

bool IsVector(const Shape& shape, int64_t size) { return shape == Shape{size}; }

}  // namespace

void ConvertConv(OnnxNode& in, Node& out) {
  const ValueId weight = in.Parameter(1, "weight");
  const Shape shape = in.ParameterShape(weight);
  if (shape.rank() != 4) {
    in.Refuse("weight has shape {}, expected four dimensions (2-D convolution)", shape.ToString());
  }
  const std::vector<int64_t> window = {shape[2], shape[3]};
  const auto kernel = in.Ints("kernel_shape", window);
  if (kernel != window) in.Refuse("kernel_shape disagrees with weight {}", shape.ToString());
  const int64_t group = in.Int("group", 1);
  if (group < 1 || shape[0] % group != 0) {
    in.Refuse("group is {}, expected a divisor of the {} filters", group, shape[0]);
  }
  out.inputs = {in.Input(0), weight};
  if (in.HasInput(2)) {
    const ValueId bias = in.Parameter(2, "bias");
    if (!IsVector(in.ParameterShape(bias), shape[0])) {
      in.Refuse("bias has shape {}, expected [{}]", in.ParameterShape(bias).ToString(), shape[0]);
    }
    out.inputs.push_back(bias);
  }
  out.attributes.Set("group", group);
  ReadWindow(in, out, kernel, true);
}

void ConvertBatchNormalization(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  for (int i = 1; i < 5; ++i) out.inputs.push_back(in.Parameter(i, "parameter"));
  const Shape& scale = in.ParameterShape(out.inputs[1]);
  for (int i = 1; i < 5; ++i) {
    const Shape& shape = in.ParameterShape(out.inputs[static_cast<size_t>(i)]);
    if (shape.rank() != 1 || shape != scale) {
      in.Refuse("parameters have shapes {} and {}, expected four vectors of one length",
                scale.ToString(), shape.ToString());
    }
  }
  const bool training = in.opset() >= 14 ? in.Int("training_mode", 0) != 0 : in.num_outputs() > 1;
  if (training) in.Refuse("is in training mode; export the model for inference");
  const double epsilon = in.Float("epsilon", static_cast<double>(1e-5F));
  if (!(epsilon >= 0) || std::isinf(epsilon)) in.Refuse("epsilon is {}", epsilon);
  out.attributes.Set("epsilon", epsilon);
  out.attributes.Set("momentum", in.Float("momentum", static_cast<double>(0.9F)));
}

void ConvertGemm(OnnxNode& in, Node& out) {
  if (in.Int("transA", 0) != 0) in.Refuse("transA is not supported");
  const bool transposed = in.Int("transB", 0) != 0;
  out.inputs = {in.Input(0), kNoValue};
  out.attributes.Set("alpha", in.Float("alpha", 1));
  out.attributes.Set("beta", in.Float("beta", 1));
  out.attributes.Set("transB", int64_t{1});
  const ValueId weight = in.Parameter(
      1, "weight", transposed ? ParameterLayout::kAsStored : ParameterLayout::kTransposed);
  const Shape shape = in.ParameterShape(weight);
  if (shape.rank() != 2) in.Refuse("weight has shape {}, expected a matrix", shape.ToString());
  out.inputs[1] = weight;
  if (!in.HasInput(2)) return;
  if (!in.IsConstant(2)) in.Refuse("bias is computed at run time, which is not supported");
  const Shape bias = in.ConstantShape(2);
  const int64_t units = shape[0];
  if (bias == Shape{units} || bias == Shape{1, units}) {
    out.inputs.push_back(in.Parameter(2, "bias"));
  } else if (bias == Shape{} || bias == Shape{1} || bias == Shape{1, 1}) {
    out.inputs.push_back(in.Broadcast(2, units));
  } else {
    in.Refuse("bias has shape {}, expected [{}]", bias.ToString(), units);
  }
}

void ConvertMatMul(OnnxNode& in, Node& out) {
  if (in.IsConstant(1) && in.ConstantShape(1).rank() == 2) {
    out.inputs = {in.Input(0), in.Parameter(1, "weight", ParameterLayout::kTransposed)};
    out.attributes.Set("transB", int64_t{1});
  } else {
    out.inputs = {in.Input(0), in.Input(1)};
  }
}

void ConvertMaxPool(OnnxNode& in, Node& out) {
  in.Int("storage_order", 0);  // orders the index output, which is refused when used
  ReadPool(in, out, in.opset() >= 10);
}

void ConvertAveragePool(OnnxNode& in, Node& out) {
  ReadPool(in, out, in.opset() >= 19);
  if (out.attributes.Ints("dilations", {}) != std::vector<int64_t>{1, 1}) {
    in.Refuse("dilations other than 1 are not supported");
  }
  out.attributes.Erase("dilations");
  out.attributes.Set("count_include_pad", int64_t{in.Int("count_include_pad", 0) != 0});
}

void ConvertLrn(OnnxNode& in, Node& out) {
  out.inputs = {in.Input(0)};
  const int64_t size = in.Int("size", 0);
  if (size < 1 || size > kMaxExtent) {
    in.Refuse("size is {}, expected 1 to {}", size, kMaxExtent);
  }
  out.attributes.Set("size", size);
  out.attributes.Set("alpha", in.Float("alpha", static_cast<double>(1e-4F)));
  out.attributes.Set("beta", in.Float("beta", 0.75));
  out.attributes.Set("bias", in.Float("bias", 1));
}

}  // namespace sparsify
