#include "sparsity/allocation/uniform_allocation.h"

#include "sparsity/base/error.h"

namespace sparsify {

std::vector<double> AllocateUniform(const AllocationProblem& problem) {
  if (problem.sparsity > problem.options.max_layer_sparsity) {
    Fail("allocation", "Uniform gives every layer {:.4g}, above max_layer_sparsity {}",
         problem.sparsity, problem.options.max_layer_sparsity);
  }
  return std::vector<double>(problem.selected.size(), problem.sparsity);
}

}  // namespace sparsify
