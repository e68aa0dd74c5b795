// Where a classifier's scores are.
#pragma once

#include "sparsity/graph/graph.h"

namespace sparsify {

/// The class scores that a loss takes: the network's (first) output, or what its final Softmax
/// reads. Throws std::out_of_range without an output, which SortAndCheck excludes.
ValueId LogitsOf(const Graph& graph);

}  // namespace sparsify
