// Uniform allocation: every selected layer gets the network's sparsity.
#pragma once

#include <vector>

#include "sparsity/allocation/allocation_problem.h"

namespace sparsify {

/// Throws when max_layer_sparsity is below the sparsity.
std::vector<double> AllocateUniform(const AllocationProblem& problem);

}  // namespace sparsify
