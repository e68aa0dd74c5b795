// The dense kernel of a step: oneDNN's where it has one, the operator table's otherwise.
#pragma once

#include <vector>

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/kernel.h"

namespace sparsify {

/// `available`: the layout each operand exists in. Steps that merely follow a format take
/// over that of their first operand (from lanes: the format oneDNN prefers).
KernelPtr MakeDenseKernel(const FusedGraph& graph, const FusedStep& step,
                          const std::vector<Layout>& available);

/// The block format that oneDNN's pointwise kernels and pools handle best for this shape.
Layout PreferredDenseLayout(const Shape& shape);

}  // namespace sparsify
