#include "sparsity/io/onnx_partial_shapes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxDim = int64_t{1} << 40;

struct Context {
  const std::string& where;
  const Node& node;
  const std::vector<PartialShape>& inputs;

  const PartialShape& in(size_t i) const { return inputs.at(i); }
  const Attributes& attributes() const { return node.attributes; }
  void CheckRank(size_t rank) const {
    if (in(0).size() != rank) {
      Fail(where, "input has {} dimensions, expected {}", in(0).size(), rank);
    }
  }
  int64_t CheckedDim(int64_t dim) const {
    if (dim < 1 || dim > kMaxDim) Fail(where, "makes a dimension of {}", dim);
    return dim;
  }
};

PartialShape Broadcast(const PartialShape& a, const PartialShape& b) {
  PartialShape shape(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < shape.size(); ++i) {  // from the innermost dimension
    const int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    int64_t& out = shape[shape.size() - 1 - i];
    out = da == 1 || (da == kUnknownDim && db > 1) ? db : da;
  }
  return shape;
}

PartialShape Window(const Context& c, int64_t channels) {
  c.CheckRank(4);
  const auto kernel = c.attributes().Ints("kernel_shape", {1, 1});
  const auto strides = c.attributes().Ints("strides", {1, 1});
  const auto dilations = c.attributes().Ints("dilations", {1, 1});
  const auto pads = c.attributes().Ints("pads", {0, 0, 0, 0});
  const bool ceil_mode = c.attributes().Int("ceil_mode", 0) != 0;
  PartialShape shape = {c.in(0)[0], channels, kUnknownDim, kUnknownDim};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t size = c.in(0)[i + 2];
    if (size == kUnknownDim) continue;
    const int64_t extent = (kernel[i] - 1) * dilations[i] + 1;
    const int64_t room = size + pads[i] + pads[i + 2] - extent;
    if (room < 0) Fail(c.where, "window of {} does not fit an input of {}", extent, size);
    int64_t positions = room / strides[i] + 1;
    if (ceil_mode && room % strides[i] != 0 && positions * strides[i] < size + pads[i]) ++positions;
    shape[i + 2] = positions;
  }
  return shape;
}

PartialShape Gemm(const Context& c) {
  c.CheckRank(2);
  return {c.in(0)[0], c.in(1).at(0)};
}

PartialShape MatMul(const Context& c) {
  PartialShape a = c.in(0);
  PartialShape b = c.in(1);
  if (a.empty() || b.empty()) Fail(c.where, "multiplies a scalar");
  if (c.attributes().Int("transB", 0) != 0) std::swap(b[0], b[1]);
  const bool drop_row = a.size() == 1;
  const bool drop_column = b.size() == 1;
  if (drop_row) a.insert(a.begin(), 1);
  if (drop_column) b.push_back(1);
  PartialShape shape = Broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  if (!drop_row) shape.push_back(a[a.size() - 2]);
  if (!drop_column) shape.push_back(b.back());
  return shape;
}

PartialShape Concat(const Context& c) {
  PartialShape shape = c.in(0);
  const auto axis = static_cast<size_t>(c.attributes().Int("axis", 0));
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    const PartialShape& other = c.in(i);
    if (other.size() != shape.size()) Fail(c.where, "joins inputs of different rank");
    for (size_t d = 0; d < shape.size(); ++d) {
      if (d == axis) {
        const bool unknown = shape[d] == kUnknownDim || other[d] == kUnknownDim;
        shape[d] = unknown ? kUnknownDim : c.CheckedDim(shape[d] + other[d]);
      } else if (shape[d] == kUnknownDim) {
        shape[d] = other[d];
      }
    }
  }
  return shape;
}

PartialShape ReduceMean(const Context& c) {
  PartialShape shape = c.in(0);
  std::vector<int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  for (const int64_t axis : c.attributes().Ints("axes", axes)) {
    shape[static_cast<size_t>(axis)] = 0;  // marks it as reduced
  }
  if (c.attributes().Int("keepdims", 1) != 0) {
    std::replace(shape.begin(), shape.end(), int64_t{0}, int64_t{1});
  } else {
    std::erase(shape, 0);
  }
  return shape;
}

PartialShape Flatten(const Context& c) {
  const auto axis = static_cast<size_t>(c.attributes().Int("axis", 1));
  return {PartialProduct(c.where, c.in(0), 0, axis),
          PartialProduct(c.where, c.in(0), axis, c.in(0).size())};
}

PartialShape Reshape(const Context& c) {
  PartialShape shape = c.attributes().Ints("shape", {});
  PartialShape input = c.in(0);  // a copied dimension cancels on both sides
  PartialShape given;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] > 0) given.push_back(shape[i]);
    if (shape[i] != 0) continue;
    if (i >= input.size()) Fail(c.where, "shape copies dimension {} of {}", i, input.size());
    shape[i] = std::exchange(input[i], 1);
  }
  const int64_t total = PartialProduct(c.where, input, 0, input.size());
  const int64_t known = PartialProduct(c.where, given, 0, given.size());
  const auto target = c.attributes().Ints("shape", {});
  const auto inferred = std::find(target.begin(), target.end(), -1);
  if (inferred != target.end() && total != kUnknownDim && total % known == 0) {
    shape[static_cast<size_t>(inferred - target.begin())] = total / known;
  }
  return shape;
}

PartialShape Transpose(const Context& c) {
  const PartialShape& in = c.in(0);
  std::vector<int64_t> perm(in.size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  perm = c.attributes().Ints("perm", perm);
  if (perm.size() != in.size()) {
    Fail(c.where, "perm has {} entries for {} dimensions", perm.size(), in.size());
  }
  PartialShape shape;
  for (const int64_t p : perm) shape.push_back(in[static_cast<size_t>(p)]);
  return shape;
}

PartialShape Pad(const Context& c) {
  PartialShape shape = c.in(0);
  const auto pads = c.attributes().Ints("pads", {});
  if (pads.size() != 2 * shape.size()) {
    Fail(c.where, "pads has {} entries for {} dimensions", pads.size(), shape.size());
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == kUnknownDim) continue;
    shape[i] = c.CheckedDim(shape[i] + pads[i] + pads[i + shape.size()]);
  }
  return shape;
}

PartialShape Resize(const Context& c) {
  PartialShape shape = c.in(0);
  const auto scales = c.attributes().Floats("scales", {});
  const auto sizes = c.attributes().Ints("sizes", {});
  if (std::max(scales.size(), sizes.size()) != shape.size()) {
    Fail(c.where, "scales or sizes has {} entries for {} dimensions",
         std::max(scales.size(), sizes.size()), shape.size());
  }
  for (size_t i = 0; i < sizes.size(); ++i) shape[i] = sizes[i] == -1 ? shape[i] : sizes[i];
  if (!sizes.empty()) return shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == kUnknownDim) continue;
    const double scaled = std::floor(static_cast<double>(shape[i]) * scales[i]);
    shape[i] = c.CheckedDim(scaled > 1e12 ? kMaxDim + 1 : static_cast<int64_t>(scaled));
  }
  return shape;
}

PartialShape Slice(const Context& c) {
  PartialShape shape = c.in(0);
  const auto starts = c.attributes().Ints("starts", {});
  const auto ends = c.attributes().Ints("ends", {});
  const auto axes = c.attributes().Ints("axes", {});
  const auto steps = c.attributes().Ints("steps", {});
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t& dim = shape[static_cast<size_t>(axes[i])];
    if (dim == kUnknownDim) continue;
    const bool forward = steps[i] > 0;
    const auto clamp = [&](int64_t at) {
      if (at < 0) at += dim;
      return forward ? std::clamp<int64_t>(at, 0, dim) : std::clamp<int64_t>(at, -1, dim - 1);
    };
    const int64_t distance =
        forward ? clamp(ends[i]) - clamp(starts[i]) : clamp(starts[i]) - clamp(ends[i]);
    const int64_t step = std::abs(steps[i]);
    if (distance <= 0) Fail(c.where, "selects nothing of axis {} with {} entries", axes[i], dim);
    dim = (distance + step - 1) / step;
  }
  return shape;
}

std::vector<PartialShape> Split(const Context& c) {
  const size_t parts = c.node.outputs.size();
  std::vector<PartialShape> shapes(parts, c.in(0));
  const auto axis = static_cast<size_t>(c.attributes().Int("axis", 0));
  const int64_t dim = c.in(0)[axis];
  const auto split = c.attributes().Ints("split", {});
  for (size_t i = 0; i < parts; ++i) {
    const bool even = dim != kUnknownDim && split.empty();
    const int64_t equal = even ? dim / static_cast<int64_t>(parts) : kUnknownDim;
    shapes[i][axis] = split.empty() ? equal : split[i];
  }
  return shapes;
}

PartialShape OneOutput(const Context& c) {
  switch (c.node.type) {
    case OpType::kConv:
      return Window(c, c.in(1).at(0));
    case OpType::kMaxPool:
    case OpType::kAveragePool:
      return Window(c, c.in(0).size() < 2 ? kUnknownDim : c.in(0)[1]);
    case OpType::kGlobalAveragePool:
      c.CheckRank(4);
      return {c.in(0)[0], c.in(0)[1], 1, 1};
    case OpType::kGemm:
      return Gemm(c);
    case OpType::kMatMul:
      return MatMul(c);
    case OpType::kAdd:
    case OpType::kMul:
      return Broadcast(c.in(0), c.in(1));
    case OpType::kConcat:
      return Concat(c);
    case OpType::kReduceMean:
      return ReduceMean(c);
    case OpType::kFlatten:
      return Flatten(c);
    case OpType::kReshape:
      return Reshape(c);
    case OpType::kTranspose:
      return Transpose(c);
    case OpType::kPad:
      return Pad(c);
    case OpType::kResize:
      return Resize(c);
    case OpType::kSlice:
      return Slice(c);
    default:
      return c.in(0);
  }
}

}  // namespace

std::vector<PartialShape> PartialOutputShapes(const std::string& where, const Node& node,
                                              const std::vector<PartialShape>& inputs) {
  const Context context{where, node, inputs};
  std::vector<PartialShape> shapes;
  if (node.type == OpType::kSplit) {
    shapes = Split(context);
  } else {
    shapes = {OneOutput(context)};
  }
  for (const PartialShape& shape : shapes) {
    if (shape.size() > kMaxOnnxRank) {
      Fail(where, "makes {} dimensions, more than {}", shape.size(), kMaxOnnxRank);
    }
  }
  return shapes;
}

int64_t NormalAxis(const std::string& where, int64_t axis, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= count) {
    Fail(where, "axis {} is out of range for {} dimensions", axis, count);
  }
  return axis < 0 ? axis + count : axis;
}

int64_t PartialProduct(const std::string& where, const PartialShape& shape, size_t begin,
                       size_t end) {
  int64_t product = 1;
  bool unknown = false;
  for (size_t i = begin; i < end; ++i) {
    if (shape[i] == kUnknownDim) {
      unknown = true;
    } else if (product > kMaxDim / std::max<int64_t>(1, shape[i])) {
      Fail(where, "flattens more than 2^40 elements");
    } else {
      product *= shape[i];
    }
  }
  return unknown ? kUnknownDim : product;
}

}  // namespace sparsify
