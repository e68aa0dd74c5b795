// The part of a network behind a cut of its node order, as a network of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

struct NetworkSuffix {
  /// Nodes that `output` needs, names as in the whole network; one output. No nodes when the
  /// output is made before the cut: then it is the only input.
  Graph graph;
  /// Activations of the whole network that cross the cut, in the order of graph.inputs.
  std::vector<ValueId> inputs;
};

/// What computes `output` from the activations made before node `cut`. Parameters are copied.
/// `graph` is sorted. A free batch size stays free; `batch` stands for it while shapes are found.
NetworkSuffix SuffixBehind(const Graph& graph, int cut, ValueId output, int64_t batch);

}  // namespace sparsify
