// BatchNormalization at inference: y = scale · (x − mean) / sqrt(var + epsilon) + bias, per
// channel.
#pragma once

#include <vector>

#include "sparsity/ops/op.h"

namespace sparsify {

std::vector<Shape> BatchNormalizationOutputShapes(const Node& node, OpShapes inputs);
void BatchNormalizationForward(const Node& node, OpInputs inputs, OpOutputs outputs);

}  // namespace sparsify
