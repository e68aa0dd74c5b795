// Add and Mul with numpy broadcasting.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> BroadcastOutputShapes(const Node& node, OpShapes inputs);
void AddForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void MulForward(const Node& node, OpInputs inputs, OpOutputs outputs);

}  // namespace sparsify
