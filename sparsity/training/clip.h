// Gradient clipping by the global norm (Pascanu et al., "On the difficulty of training recurrent
// neural networks", ICML 2013).
#pragma once

#include <span>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Returns ‖g‖₂ over all elements of all `gradients`, and multiplies these by min(1, max_norm /
/// (‖g‖ + 1e-6)). A norm that is not finite is returned and the gradients stay as they are. The
/// sum is in double, the same for every thread count. Throws Error when max_norm is not positive.
double ClipGradients(std::span<Tensor* const> gradients, double max_norm);

}  // namespace sparsify
