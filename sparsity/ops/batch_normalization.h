// BatchNormalization at inference: y = scale · (x − mean) / sqrt(var + epsilon) + bias, per
// channel.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> BatchNormalizationOutputShapes(const Node& node, OpShapes inputs);
void BatchNormalizationForward(const Node& node, OpInputs inputs, OpOutputs outputs);
/// Gradients of x, scale and bias; mean and variance are frozen: asking for theirs is an Error.
void BatchNormalizationBackward(const Node& node, OpInputs inputs, OpInputs outputs,
                                OpInputs grad_outputs, OpOutputs grad_inputs);

}  // namespace sparsify
