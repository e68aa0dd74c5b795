// Batch normalisation in training, one channel: from sums over the batch to what normalises its
// values and to their gradients.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/ops/op.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {

/// Of the values that each channel has in a batch.
struct BatchMoments {
  std::vector<double> mean;
  std::vector<double> variance;  // biased: Σ (x − mean)² / count
  int64_t count = 0;             // values a channel

  Tensor Mean() const;
  /// What running statistics are made of: variance · count / (count − 1).
  Tensor UnbiasedVariance() const;
};

/// y = slope · x + shift
struct ChannelLine {
  float slope = 0;
  float shift = 0;
};

/// From Σ (x − origin) and Σ (x − origin)² of channel c: its moments, set in `moments` (count is
/// given), and what normalises it. `inputs` are those of the node.
ChannelLine NormaliseChannel(const Node& node, OpInputs inputs, int64_t c, double origin,
                             const PlaneSums& sums, BatchMoments& moments);

/// grad_x = slope · grad_y + (along · (x − center) + shift)
struct InputGradient {
  float slope = 0;
  float along = 0;
  float center = 0;
  float shift = 0;
};

/// From Σ grad_y (sum) and Σ grad_y · x (square) of channel c: sets the gradients of its scale and
/// bias where wanted and returns what gives that of x.
InputGradient DifferentiateChannel(const Node& node, OpInputs inputs, int64_t c,
                                   const BatchMoments& moments, const PlaneSums& sums,
                                   OpOutputs grad_inputs);

}  // namespace sparsify
