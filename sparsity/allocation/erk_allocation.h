// ERK allocation: large layers are pruned more (Erdős–Rényi kernel).
#pragma once

#include <vector>

#include "sparsity/allocation/allocation_problem.h"

namespace sparsify {

/// Density εᵢ = ε·(Σdims/Πdims)^erk_power over the weight's dimensions (Evci et al.,
/// "Rigging the Lottery", 2020). Layers whose density would pass 1 are dense, those below
/// 1 − max_layer_sparsity are held there, and ε is solved so that the rest meets the target.
std::vector<double> AllocateErk(const AllocationProblem& problem);

}  // namespace sparsify
