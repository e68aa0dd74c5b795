#include "sparsity/ops/reshape.h"

#include <algorithm>

#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

[[noreturn]] void FailReshape(const Node& node, const Shape& input,
                              const std::vector<int64_t>& target) {
  FailNode(node, "cannot view {} ({} elements) as {}", input.ToString(), input.NumElements(),
           Shape(target).ToString());
}

}  // namespace

std::vector<Shape> FlattenOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  const int rank = inputs[0].rank();
  const int64_t axis = node.attributes.Int("axis", 1);
  if (axis < -rank || axis > rank) {
    FailNode(node, "axis {} is out of range for {}", axis, inputs[0].ToString());
  }
  const int split = static_cast<int>(axis < 0 ? axis + rank : axis);
  return {{ProductOf(inputs[0], 0, split), ProductOf(inputs[0], split, rank)}};
}

std::vector<Shape> ReshapeOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  if (!node.attributes.Has("shape")) FailNode(node, "attribute shape is missing");
  const auto target = node.attributes.Ints("shape", {});
  const bool allow_zero = node.attributes.Int("allowzero", 0) != 0;
  const int64_t total = inputs[0].NumElements();
  std::vector<int64_t> dims = target;
  int unknown = -1;
  int64_t known = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !allow_zero) {
      if (static_cast<int>(i) >= inputs[0].rank()) FailReshape(node, inputs[0], target);
      dims[i] = inputs[0][static_cast<int>(i)];
    }
    if (dims[i] == -1 && unknown < 0) {
      unknown = static_cast<int>(i);
      continue;
    }
    if (dims[i] < 1 || dims[i] > total || known > total / dims[i]) {
      FailReshape(node, inputs[0], target);
    }
    known *= dims[i];
  }
  if (unknown >= 0) dims[static_cast<size_t>(unknown)] = total / known;
  if (unknown >= 0 ? total % known != 0 : known != total) FailReshape(node, inputs[0], target);
  return {Shape(dims)};
}

std::vector<Shape> DropoutOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 3);
  return {inputs[0]};
}

void CopyForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  std::copy_n(inputs[0]->data(), inputs[0]->size(), outputs[0]->data());
}

void CopyBackward(const Node& /*node*/, OpInputs /*inputs*/, OpInputs /*outputs*/,
                  OpInputs grad_outputs, OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  std::copy_n(grad_outputs[0]->data(), grad_outputs[0]->size(), grad_inputs[0]->data());
}

}  // namespace sparsify
