#include "sparsity/ops/concat.h"

#include <algorithm>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

int Axis(const Node& node, const Shape& first) {
  if (!node.attributes.Has("axis")) FailNode(node, "attribute axis is missing");
  return NormalizeAxis(node, node.attributes.Int("axis", 0), first.rank());
}

}  // namespace

std::vector<Shape> ConcatOutputShapes(const Node& node, OpShapes inputs) {
  if (inputs.empty()) FailNode(node, "has no input");
  CheckArity(node, inputs.size(), inputs.size());
  const int axis = Axis(node, inputs[0]);
  Shape output = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) {
    Shape aligned = inputs[i];
    if (aligned.rank() == output.rank()) aligned.set_dim(axis, inputs[0][axis]);
    if (aligned != inputs[0]) {
      FailNode(node, "input {} has shape {}, which differs from {} in more than axis {}", i,
               inputs[i].ToString(), inputs[0].ToString(), axis);
    }
    output.set_dim(axis, output[axis] + inputs[i][axis]);
  }
  return {output};
}

void ConcatForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = outputs[0]->shape();
  const int axis = Axis(node, shape);
  const int64_t out_block = ProductOf(shape, axis, shape.rank());
  ParallelFor(ProductOf(shape, 0, axis), [&](int64_t outer) {
    float* to = outputs[0]->data() + outer * out_block;
    for (const Tensor* input : inputs) {
      const int64_t block = ProductOf(input->shape(), axis, shape.rank());
      to = std::copy_n(input->data() + outer * block, block, to);
    }
  });
}

void ConcatBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                    OpOutputs grad_inputs) {
  const Shape& shape = grad_outputs[0]->shape();
  const int axis = Axis(node, shape);
  const int64_t out_block = ProductOf(shape, axis, shape.rank());
  ParallelFor(ProductOf(shape, 0, axis), [&](int64_t outer) {
    const float* from = grad_outputs[0]->data() + outer * out_block;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const int64_t block = ProductOf(inputs[i]->shape(), axis, shape.rank());
      if (grad_inputs[i] != nullptr) {
        std::copy_n(from, block, grad_inputs[i]->data() + outer * block);
      }
      from += block;
    }
  });
}

}  // namespace sparsify
