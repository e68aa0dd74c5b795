// Batch normalisation in training, one channel: from sums over the batch to what normalises its
// values and to their gradients.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparsity/base/communicator.h"
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

/// Of a batch that several processes share: each computes some of its images.
struct BatchShare {
  Communicator* ranks = nullptr;  // null: this process has the whole batch
  bool is_empty = false;          // its images are of no batch and count for nothing

  bool IsWhole() const { return ranks == nullptr || ranks->Size() == 1; }
};

/// Makes `sums` (Σ (x − origin) and Σ (x − origin)² by channel of this process's images) and
/// moments.count those of the whole batch, about origins that become 0. Nothing changes where this
/// process has it all. Throws Error naming the node when a channel has a single value.
void JoinMoments(const Node& node, OpInputs inputs, const BatchShare& share,
                 std::span<float> origins, std::span<PlaneSums> sums, BatchMoments& moments);

/// The same for the backward pass's sums: Σ over the whole batch, the same bits on every rank.
void JoinSums(const BatchShare& share, std::span<PlaneSums> sums);

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

/// From Σ grad_y (sum) and Σ grad_y · x (square) of channel c: the gradients of its scale and bias
/// where wanted. Those of a share of the batch add up to those of the batch.
void DifferentiateScale(const Node& node, int64_t c, const BatchMoments& moments,
                        const PlaneSums& sums, OpOutputs grad_inputs);

/// From the sums over the whole batch: what gives the gradient of x.
InputGradient DifferentiateInput(const Node& node, OpInputs inputs, int64_t c,
                                 const BatchMoments& moments, const PlaneSums& sums);

}  // namespace sparsify
