// Several kernels as the kernel of one step.
#pragma once

#include <vector>

#include "sparsity/executor/kernel.h"
#include "sparsity/tensor/shape.h"

namespace sparsify {

/// Runs `kernels`, each with one operand and one result, one after the other. Each reads what the
/// one before wrote, in the same layout: a value of shape `between[i]` behind kernel i, which
/// lies in scratch. It is called what the first one is called.
KernelPtr MakeSequence(std::vector<KernelPtr> kernels, const std::vector<Shape>& between);

}  // namespace sparsify
