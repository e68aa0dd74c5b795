// Operators that change the shape alone or nothing: Flatten, Reshape, Identity, Dropout.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> FlattenOutputShapes(const Node& node, OpShapes inputs);
/// Attribute shape: 0 copies the input's dimension (unless allowzero), one −1 is computed.
std::vector<Shape> ReshapeOutputShapes(const Node& node, OpShapes inputs);
/// Dropout at inference is the identity; its other inputs (ratio, training mode) are ignored.
std::vector<Shape> DropoutOutputShapes(const Node& node, OpShapes inputs);
void CopyForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void CopyBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                  OpOutputs grad_inputs);

}  // namespace sparsify
