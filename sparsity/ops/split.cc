#include "sparsity/ops/split.h"

#include <algorithm>
#include <cstdint>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

std::vector<int64_t> EqualSizes(const Node& node, int64_t total, int64_t parts) {
  if (!node.attributes.Has("num_outputs") && total % parts != 0) {
    FailNode(node, "{} does not divide into {} equal parts; give the attribute split", total,
             parts);
  }
  const int64_t size = (total + parts - 1) / parts;
  std::vector<int64_t> sizes(static_cast<size_t>(parts), size);
  sizes.back() = total - size * (parts - 1);
  return sizes;
}

std::vector<int64_t> Sizes(const Node& node, int64_t total) {
  const auto parts = static_cast<int64_t>(node.outputs.size());
  if (parts == 0) FailNode(node, "has no output");
  if (node.attributes.Int("num_outputs", parts) != parts) {
    FailNode(node, "num_outputs is {}, the node has {} outputs",
             node.attributes.Int("num_outputs", parts), parts);
  }
  const auto sizes = node.attributes.Ints("split", {});
  if (sizes.empty()) return EqualSizes(node, total, parts);
  int64_t left = total;
  for (const int64_t size : sizes) {
    if (size < 0 || size > left) left = -1;
    if (left < 0) break;
    left -= size;
  }
  if (left != 0 || static_cast<int64_t>(sizes.size()) != parts) {
    FailNode(node, "split {} does not cut {} into {} outputs", Shape(sizes).ToString(), total,
             parts);
  }
  return sizes;
}

}  // namespace

std::vector<Shape> SplitOutputShapes(const Node& node, OpShapes inputs) {
  if (node.inputs.size() != 1 || !HasInput(node, 0)) {
    FailNode(node, "{} inputs given, 1 expected", node.inputs.size());
  }
  const int axis = NormalizeAxis(node, node.attributes.Int("axis", 0), inputs[0].rank());
  std::vector<Shape> shapes;
  for (const int64_t size : Sizes(node, inputs[0][axis])) {
    shapes.push_back(inputs[0]);
    shapes.back().set_dim(axis, size);
  }
  return shapes;
}

void SplitForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = inputs[0]->shape();
  const int axis = NormalizeAxis(node, node.attributes.Int("axis", 0), shape.rank());
  const int64_t in_block = ProductOf(shape, axis, shape.rank());
  ParallelFor(ProductOf(shape, 0, axis), [&](int64_t outer) {
    const float* from = inputs[0]->data() + outer * in_block;
    for (Tensor* output : outputs) {
      const int64_t block = ProductOf(output->shape(), axis, shape.rank());
      std::copy_n(from, block, output->data() + outer * block);
      from += block;
    }
  });
}

void SplitBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                   OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  const Shape& shape = inputs[0]->shape();
  const int axis = NormalizeAxis(node, node.attributes.Int("axis", 0), shape.rank());
  const int64_t in_block = ProductOf(shape, axis, shape.rank());
  ParallelFor(ProductOf(shape, 0, axis), [&](int64_t outer) {
    float* to = grad_inputs[0]->data() + outer * in_block;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const int64_t block = ProductOf(outputs[i]->shape(), axis, shape.rank());
      to = grad_outputs[i] == nullptr
               ? std::fill_n(to, block, 0.0F)
               : std::copy_n(grad_outputs[i]->data() + outer * block, block, to);
    }
  });
}

}  // namespace sparsify
