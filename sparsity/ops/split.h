// Split along one axis: attribute split (sizes), or equal parts of num_outputs (the last one may
// be smaller), or equal parts of as many outputs as the node has.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> SplitOutputShapes(const Node& node, OpShapes inputs);
void SplitForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void SplitBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                   OpOutputs grad_inputs);

}  // namespace sparsify
