// ReduceMean over the axes attribute (absent: all) and GlobalAveragePool (all but N and C).
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> ReduceMeanOutputShapes(const Node& node, OpShapes inputs);
void ReduceMeanForward(const Node& node, OpInputs inputs, OpOutputs outputs);
std::vector<Shape> GlobalAveragePoolOutputShapes(const Node& node, OpShapes inputs);
void GlobalAveragePoolForward(const Node& node, OpInputs inputs, OpOutputs outputs);
void ReduceMeanBackward(const Node& node, OpInputs inputs, OpInputs outputs, OpInputs grad_outputs,
                        OpOutputs grad_inputs);
void GlobalAveragePoolBackward(const Node& node, OpInputs inputs, OpInputs outputs,
                               OpInputs grad_outputs, OpOutputs grad_inputs);

}  // namespace sparsify
