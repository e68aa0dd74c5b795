// BatchNormalization in training: y = scale · (x − mean) / sqrt(var + epsilon) + bias with the
// mean and the biased variance that the batch itself has, per channel (Ioffe & Szegedy, "Batch
// Normalization", ICML 2015, algorithm 1).
#pragma once

#include "sparsity/ops/activations.h"
#include "sparsity/ops/batch_moments.h"
#include "sparsity/ops/op.h"

namespace sparsify {

/// `inputs` are those of the node, of which running mean and variance are not read; `y` has the
/// shape of x and is overwritten. Sums in double, the same for every thread count. Throws Error
/// naming the node when a channel has a single value. `blocked`: x and y lie in channel blocks.
/// Where x is a share of a batch the moments are those of the batch. `range` (may be null) limits
/// y, as the activation behind would.
BatchMoments BatchNormalizationTrain(const Node& node, OpInputs inputs, Tensor& y,
                                     bool blocked = false, const BatchShare& share = {},
                                     const ValueRange* range = nullptr);

/// Full gradients of x, scale and bias (null: not wanted), moments included, that of x where
/// grad_y lies if it is the same tensor; `inputs` and
/// `moments` are those of the forward computation. Throws Error when gradients of the running
/// statistics are asked for: they have none. `blocked`: x and the gradients of x and y lie in
/// channel blocks. Of a share of a batch, the gradients of scale and bias are this share's part.
void BatchNormalizationTrainBackward(const Node& node, OpInputs inputs, const BatchMoments& moments,
                                     const Tensor& grad_y, OpOutputs grad_inputs,
                                     bool blocked = false, const BatchShare& share = {});

}  // namespace sparsify
