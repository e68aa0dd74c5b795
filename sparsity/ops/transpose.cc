#include "sparsity/ops/transpose.h"

#include <algorithm>
#include <utility>

#include "sparsity/ops/axis_gather.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

std::vector<int> Permutation(const Node& node, int rank) {
  std::vector<int64_t> reversed;
  for (int i = rank; i-- > 0;) reversed.push_back(i);
  const auto perm = node.attributes.Ints("perm", reversed);
  if (static_cast<int>(perm.size()) != rank) {
    FailNode(node, "perm {} has {} axes, the input has {}", Shape(perm).ToString(), perm.size(),
             rank);
  }
  return NormalizeAxes(node, perm, rank);
}

AxisGather PlanTranspose(const Node& node, const Shape& input) {
  const auto steps = RowMajorSteps(input);
  AxisGather gather;
  for (const int axis : Permutation(node, input.rank())) {
    std::vector<int64_t> offsets(static_cast<size_t>(input[axis]));
    for (size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] = static_cast<int64_t>(i) * steps[static_cast<size_t>(axis)];
    }
    gather.offsets.push_back(std::move(offsets));
  }
  return gather;
}

}  // namespace

std::vector<Shape> TransposeOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  std::vector<int64_t> dims;
  for (const int axis : Permutation(node, inputs[0].rank())) dims.push_back(inputs[0][axis]);
  return {Shape(dims)};
}

void TransposeForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  Gather(PlanTranspose(node, inputs[0]->shape()), *inputs[0], *outputs[0]);
}

void TransposeBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/,
                       OpInputs grad_outputs, OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  ScatterAdd(PlanTranspose(node, inputs[0]->shape()), *grad_outputs[0], *grad_inputs[0]);
}

}  // namespace sparsify
