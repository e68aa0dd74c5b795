// The operator table: for every OpType its output shapes, its forward computation and its
// gradient.
//
// A new operator is one .h/.cc pair in this folder and one row in op_table.cc.
#pragma once

#include <span>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// Inputs in node order; an absent optional input is null. Shapes are bound (no −1).
using OpInputs = std::span<const Tensor* const>;
using OpOutputs = std::span<Tensor* const>;
/// One shape an input (absent optional inputs: an empty Shape{0}).
using OpShapes = std::span<const Shape>;

struct OpDef {
  OpType type;
  /// Shape of every output. Throws Error naming the node, actual and expected shapes.
  std::vector<Shape> (*output_shapes)(const Node& node, OpShapes inputs);
  /// Computes every output. Outputs arrive sized by output_shapes, contents undefined.
  void (*forward)(const Node& node, OpInputs inputs, OpOutputs outputs);
  /// Vector-Jacobian product: grad_inputs[i] = Σ over outputs of (∂output/∂input i)ᵀ grad_output.
  /// `inputs` and `outputs` are those of forward. grad_inputs[i] has the shape of input i and is
  /// overwritten; null: not wanted. A null gradient of one of several outputs counts as zero.
  /// Null backward: the operator has no gradient here.
  void (*backward)(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                   OpOutputs grad_inputs) = nullptr;
  /// backward may be given one tensor as grad_outputs[0] and grad_inputs[0].
  bool gradient_in_place = false;
};

/// The row of `type`; every OpType has one.
const OpDef& GetOp(OpType type);

/// output_shapes of the node's row with the guards every graph needs: input and output
/// dimensions are at least 1, rank at most 8, at most 2^32 elements; every Error names the
/// node. May return fewer shapes than the node has outputs; the remaining ones are absent.
std::vector<Shape> OutputShapes(const Node& node, OpShapes inputs);

/// forward of the node's row; every Error names the node.
void Forward(const Node& node, OpInputs inputs, OpOutputs outputs);

/// backward of the node's row; every Error names the node. Throws when the row has none.
void Backward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
              OpOutputs grad_inputs);

}  // namespace sparsify
