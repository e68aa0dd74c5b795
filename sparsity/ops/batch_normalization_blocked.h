// BatchNormalization in training on activations in channel blocks (channel_blocks.h).
#pragma once

#include "sparsity/ops/activations.h"
#include "sparsity/ops/batch_moments.h"
#include "sparsity/ops/op.h"

namespace sparsify {

/// BatchNormalizationTrain on blocks: writes y and the moments, whose count is given as this
/// process has it.
void BatchNormalizationTrainBlocked(const Node& node, OpInputs inputs, const BatchShare& share,
                                    const ValueRange* range, BatchMoments& moments, Tensor& y);
/// BatchNormalizationTrainBackward on blocks.
void BatchNormalizationTrainBackwardBlocked(const Node& node, OpInputs inputs,
                                            const BatchShare& share, const BatchMoments& moments,
                                            const Tensor& grad_y, OpOutputs grad_inputs);

}  // namespace sparsify
