// Global magnitude allocation: one threshold for the whole network.
#pragma once

#include <vector>

#include "sparsity/allocation/allocation_problem.h"

namespace sparsify {

enum class GlobalScore {
  kMagnitude,     // |w|
  kL1Normalized,  // |w| / ‖W‖₁
  kL2Normalized,  // |w| / ‖W‖₂
};

/// Ranks all weights of the selected layers together and prunes exactly
/// N − ⌊(1−s)·N⌋ of the N of them with the smallest score; layer i's sparsity is its share.
/// Equal scores go by layer, first to last. A layer above max_layer_sparsity keeps that, and
/// the threshold is found anew for the others. Takes half a megabyte besides the weights.
std::vector<double> AllocateGlobal(const AllocationProblem& problem, GlobalScore score);

}  // namespace sparsify
