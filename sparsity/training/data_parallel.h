// What the ranks of a data-parallel training run exchange besides the moments of batch norm.
#pragma once

#include <map>

#include "sparsity/base/communicator.h"
#include "sparsity/graph/graph.h"
#include "sparsity/training/training_state.h"

namespace sparsify {

/// Rows of a batch that one rank takes: contiguous, the ranks' in their order, sizes at most one
/// apart.
struct BatchRows {
  int64_t begin = 0;
  int64_t end = 0;
};
BatchRows RowsOfRank(int64_t batch, const Communicator& ranks);

/// Each gradient becomes the sum over the ranks, the same bits on all. `counts` false: this rank's
/// count as zeros.
void SumGradients(Communicator& ranks, bool counts, std::map<ValueId, Tensor>& gradients);

/// Throws Error, on every rank, unless all ranks hold the same bits: position, parameters, masks,
/// optimiser and rule. `when` is part of the message: "after step 50".
void CheckSameState(Communicator& ranks, const TrainingState& state, const std::string& when);

}  // namespace sparsify
