#include "sparsity/io/onnx_resolve.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx_convert.h"
#include "sparsity/io/onnx_partial_shapes.h"

namespace sparsify {
namespace {

// Total padding is what the last window lacks; UPPER puts the odd one at the end.
void ResolveAutoPad(const std::string& where, Node& node, const PartialShape& input) {
  if (!node.attributes.Has(kMarkAutoPad)) return;
  if (input.size() != 4) Fail(where, "input has {} dimensions, expected 4", input.size());
  const bool upper = node.attributes.String(kMarkAutoPad, "") == "SAME_UPPER";
  const auto kernel = node.attributes.Ints("kernel_shape", {1, 1});
  const auto strides = node.attributes.Ints("strides", {1, 1});
  const auto dilations = node.attributes.Ints("dilations", {1, 1});
  std::vector<int64_t> pads(4);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t extent = (kernel[i] - 1) * dilations[i] + 1;
    const int64_t size = input[i + 2];
    if (size == kUnknownDim && strides[i] != 1) {
      Fail(where, "auto_pad with a stride needs a fixed image size; export the model with one");
    }
    const int64_t positions = (size + strides[i] - 1) / strides[i];
    const int64_t total = strides[i] == 1
                              ? extent - 1
                              : std::max<int64_t>(0, (positions - 1) * strides[i] + extent - size);
    pads[i] = upper ? total / 2 : total - total / 2;
    pads[i + 2] = total - pads[i];
  }
  node.attributes.Set("pads", pads);
  node.attributes.Erase(kMarkAutoPad);
}

void ResolveAxes(const std::string& where, Node& node, size_t rank) {
  Attributes& attributes = node.attributes;
  if (attributes.Has("axis")) {
    // Flatten may also split behind the last dimension.
    const bool behind = node.type == OpType::kFlatten;
    const int64_t axis = attributes.Int("axis", 0);
    const bool is_end = behind && axis == static_cast<int64_t>(rank);
    attributes.Set("axis", is_end ? axis : NormalAxis(where, axis, rank));
  }
  if (attributes.Has("axes")) {
    auto axes = attributes.Ints("axes", {});
    for (int64_t& axis : axes) axis = NormalAxis(where, axis, rank);
    auto sorted = axes;
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
      Fail(where, "an axis is listed twice");
    }
    attributes.Set("axes", axes);
  }
}

void ResolvePad(const std::string& where, Node& node, size_t rank) {
  if (!node.attributes.Has(kMarkPadAxes)) return;
  const auto axes = node.attributes.Ints(kMarkPadAxes, {});
  const auto some = node.attributes.Ints("pads", {});
  std::vector<int64_t> pads(2 * rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(NormalAxis(where, axes[i], rank));
    pads[axis] = some[i];
    pads[axis + rank] = some[i + axes.size()];
  }
  node.attributes.Set("pads", pads);
  node.attributes.Erase(kMarkPadAxes);
}

template <class T>
std::vector<T> Spread(const std::string& where, const std::vector<int64_t>& axes,
                      const std::vector<T>& some, std::vector<T> all) {
  if (axes.size() != some.size()) Fail(where, "axes and scales or sizes differ in length");
  for (size_t i = 0; i < axes.size(); ++i) {
    all[static_cast<size_t>(NormalAxis(where, axes[i], all.size()))] = some[i];
  }
  return all;
}

// The factors from `input` to `sizes` when each is exact in float, so that scales mean the
// same; otherwise empty.
std::vector<double> ExactScales(const PartialShape& input, const std::vector<int64_t>& sizes) {
  std::vector<double> scales;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != kUnknownDim && input[i] == kUnknownDim) return {};
    const double scale = sizes[i] == kUnknownDim
                             ? 1.0
                             : static_cast<double>(sizes[i]) / static_cast<double>(input[i]);
    if (static_cast<double>(static_cast<float>(scale)) != scale) return {};
    scales.push_back(scale);
  }
  return scales;
}

// One entry a dimension. In `sizes`, −1 keeps a dimension as it is: the batch. Scales are
// preferred, because they leave the batch free in ONNX, too.
void ResolveResize(const std::string& where, int64_t fixed_batch, Node& node,
                   const PartialShape& input) {
  Attributes& attributes = node.attributes;
  std::vector<int64_t> axes(input.size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  axes = attributes.Ints(kMarkResizeAxes, axes);
  attributes.Erase(kMarkResizeAxes);
  if (attributes.Has("scales")) {
    attributes.Set("scales", Spread(where, axes, attributes.Floats("scales", {}),
                                    std::vector<double>(input.size(), 1.0)));
    return;
  }
  auto sizes = Spread(where, axes, attributes.Ints("sizes", {}), input);
  if (!sizes.empty() && input[0] == kUnknownDim && sizes[0] == fixed_batch) sizes[0] = kUnknownDim;
  if (const auto scales = ExactScales(input, sizes); !scales.empty()) {
    attributes.Set("scales", scales);
    attributes.Erase("sizes");
    return;
  }
  attributes.Set("sizes", sizes);
}

void ResolveSplit(const std::string& where, Node& node, const PartialShape& input) {
  const bool uneven = node.attributes.Has(kMarkUneven);
  node.attributes.Erase(kMarkUneven);
  const int64_t dim = input[static_cast<size_t>(node.attributes.Int("axis", 0))];
  const auto parts = static_cast<int64_t>(node.outputs.size());
  auto split = node.attributes.Ints("split", {});
  if (split.empty()) {
    if (dim == kUnknownDim) return;
    const int64_t part = (dim + parts - 1) / parts;
    const int64_t last = dim - part * (parts - 1);
    if (last < 1 || (!uneven && last != part)) {
      Fail(where, "cannot split {} entries into {} parts", dim, parts);
    }
    split.assign(static_cast<size_t>(parts), part);
    split.back() = last;
    node.attributes.Set("split", split);
    return;
  }
  int64_t left = dim;
  for (const int64_t s : split) left -= s;
  if (dim != kUnknownDim && left != 0) {
    Fail(where, "split does not add up to the {} entries of its axis", dim);
  }
}

// An exporter that fixed the batch size wrote it into Reshape, too. The target's first
// dimension follows the batch when the rest accounts for one image exactly.
void FreeBatch(const std::string& where, int64_t fixed_batch, Node& node,
               const PartialShape& input) {
  auto shape = node.attributes.Ints("shape", {});
  if (fixed_batch < 0 || shape.empty() || shape[0] != fixed_batch) return;
  if (input.empty() || input[0] != kUnknownDim) return;
  const int64_t image = PartialProduct(where, input, 1, input.size());
  PartialShape rest(shape.begin() + 1, shape.end());
  if (std::count(rest.begin(), rest.end(), 0) > 0) return;
  const bool inferred = std::count(rest.begin(), rest.end(), -1) > 0;
  std::erase(rest, -1);
  const int64_t known = PartialProduct(where, rest, 0, rest.size());
  if (image == kUnknownDim || (inferred ? image % known != 0 : image != known)) return;
  shape[0] = inferred ? 0 : -1;
  node.attributes.Set("shape", shape);
  Verbose("{}: the batch size {} in its shape made free", where, fixed_batch);
}

class Resolver {
 public:
  Resolver(const std::string& where, int64_t fixed_batch, Graph& graph)
      : where_(where), fixed_batch_(fixed_batch), graph_(graph), shapes_(graph.values().size()) {}

  void Run() {
    for (const Port& port : graph_.inputs) At(port.value) = port.shape.dims();
    for (size_t i = 0; i < shapes_.size(); ++i) {
      if (graph_.values()[i].is_parameter) shapes_[i] = graph_.values()[i].data.shape().dims();
    }
    const size_t count = graph_.nodes().size();
    for (size_t i = 0; i < count; ++i) ResolveNode(i);
    if (graph_.nodes().size() != count) graph_.SortAndCheck();
    for (Port& port : graph_.outputs) SetOutputShape(port);
  }

 private:
  PartialShape& At(ValueId id) { return shapes_[static_cast<size_t>(id)]; }

  void ResolveNode(size_t index) {
    Node& node = graph_.mutable_nodes()[index];
    const std::string where =
        fmt::format("{}: node \"{}\" ({})", where_, node.name, OpName(node.type));
    std::vector<PartialShape> inputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kNoValue ? PartialShape() : At(id));
    }
    const PartialShape input = inputs.front();
    ResolveAxes(where, node, input.size());
    ResolveAutoPad(where, node, input);
    if (node.type == OpType::kPad) ResolvePad(where, node, input.size());
    if (node.type == OpType::kResize) ResolveResize(where, fixed_batch_, node, input);
    if (node.type == OpType::kSplit) ResolveSplit(where, node, input);
    if (node.type == OpType::kReshape) FreeBatch(where, fixed_batch_, node, input);
    const auto outputs = PartialOutputShapes(where, node, inputs);
    for (size_t i = 0; i < node.outputs.size(); ++i) At(node.outputs[i]) = outputs[i];
    if (node.attributes.Has(kMarkSoftmax2D)) ResolveSoftmax(where, index, input);
  }

  // Before opset 13 Softmax normalises over all dimensions from `axis` on together.
  void ResolveSoftmax(const std::string& where, size_t index, const PartialShape& input) {
    Attributes& attributes = graph_.mutable_nodes()[index].attributes;
    attributes.Erase(kMarkSoftmax2D);
    const auto axis = static_cast<size_t>(attributes.Int("axis", 1));
    if (std::all_of(input.begin() + static_cast<std::ptrdiff_t>(axis) + 1, input.end(),
                    [](int64_t dim) { return dim == 1; })) {
      return;  // the axis alone
    }
    std::vector<int64_t> shape = input;
    const auto open = std::count(shape.begin(), shape.end(), kUnknownDim);
    if (axis == 0 || open > 1) {
      Fail(where, "normalises over dimensions {} to {} together, which needs a fixed image size",
           axis, input.size() - 1);
    }
    Surround(index, static_cast<int64_t>(axis), shape);
  }

  // x → Flatten(axis) → Softmax(1) → Reshape(shape)
  void Surround(size_t index, int64_t axis, const std::vector<int64_t>& shape) {
    const Node softmax = graph_.node(static_cast<int>(index));
    const ValueId flat = AddActivation(softmax, "_flat");
    const ValueId soft = AddActivation(softmax, "_softmax");
    Node flatten{softmax.name + "_flatten", OpType::kFlatten, softmax.inputs, {flat}, {}};
    flatten.attributes.Set("axis", axis);
    Node reshape{softmax.name + "_reshape", OpType::kReshape, {soft}, softmax.outputs, {}};
    reshape.attributes.Set("shape", shape);
    Node& node = graph_.mutable_nodes()[index];
    node.inputs = {flat};
    node.outputs = {soft};
    node.attributes.Set("axis", int64_t{1});
    graph_.AddNode(std::move(flatten));
    graph_.AddNode(std::move(reshape));
  }

  ValueId AddActivation(const Node& node, const char* suffix) {
    std::string name = graph_.value(node.outputs[0]).name + suffix;
    while (graph_.FindValue(name) != kNoValue) name += "_";
    shapes_.emplace_back();
    return graph_.AddActivation(std::move(name));
  }

  // Declared dimensions win where the inference knows nothing.
  void SetOutputShape(Port& port) {
    PartialShape shape = At(port.value);
    const auto& declared = port.shape.dims();
    if (declared.size() == shape.size()) {
      for (size_t i = 1; i < shape.size(); ++i) {
        if (shape[i] == kUnknownDim) shape[i] = declared[i];
      }
    }
    if (!shape.empty()) shape[0] = kUnknownDim;
    port.shape = Shape(shape);
  }

  const std::string& where_;
  const int64_t fixed_batch_;
  Graph& graph_;
  std::vector<PartialShape> shapes_;  // by ValueId
};

}  // namespace

void ResolveOnnxGraph(const std::string& where, int64_t fixed_batch, Graph& graph) {
  Resolver(where, fixed_batch, graph).Run();
}

}  // namespace sparsify
