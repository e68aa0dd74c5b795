// A step computed by the operator table on row-major memory: what is left when there is no
// faster kernel.
#pragma once

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/kernel.h"

namespace sparsify {

KernelPtr MakeOperatorKernel(const FusedGraph& graph, const FusedStep& step);

/// Flatten or Reshape of row-major memory: shares its input's, or copies it.
KernelPtr MakeViewKernel(const FusedGraph& graph, const FusedStep& step);

}  // namespace sparsify
