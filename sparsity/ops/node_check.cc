#include "sparsity/ops/node_check.h"

#include <algorithm>

namespace sparsify {

std::string NodeLabel(const Node& node) {
  return fmt::format("{} \"{}\"", OpName(node.type), node.name);
}

bool HasInput(const Node& node, size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNoValue;
}

void CheckArity(const Node& node, size_t required, size_t allowed) {
  if (node.inputs.size() > allowed) {
    FailNode(node, "{} inputs given, at most {} expected", node.inputs.size(), allowed);
  }
  for (size_t i = 0; i < required; ++i) {
    if (!HasInput(node, i)) FailNode(node, "input {} is missing, {} expected", i, required);
  }
  CheckSingleOutput(node);
}

void CheckSingleOutput(const Node& node) {
  if (node.outputs.empty() || node.outputs[0] == kNoValue) FailNode(node, "has no output");
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) {
      FailNode(node, "output {} is asked for, only the first is supported", i);
    }
  }
}

int NormalizeAxis(const Node& node, int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    FailNode(node, "axis {} is out of range for rank {}", axis, rank);
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::vector<int> NormalizeAxes(const Node& node, const std::vector<int64_t>& axes, int rank) {
  std::vector<int> result;
  for (const int64_t axis : axes) {
    const int normal = NormalizeAxis(node, axis, rank);
    if (std::find(result.begin(), result.end(), normal) != result.end()) {
      FailNode(node, "axis {} is named twice", axis);
    }
    result.push_back(normal);
  }
  return result;
}

std::vector<Shape> SameShape(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  return {inputs[0]};
}

int64_t ProductOf(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) product *= shape[i];
  return product;
}

}  // namespace sparsify
