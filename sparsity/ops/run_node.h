// One node of a forward pass: finds what it reads, sizes what it makes, computes it.
#pragma once

#include <functional>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// The values of one forward pass, by ValueId.
struct PassValues {
  std::vector<Tensor> owned;           // made by the pass
  std::vector<const Tensor*> current;  // all that is known: made, given, parameters; else null

  /// Nothing made, nothing known but the parameters of `graph`, which is referred to.
  void Reset(const Graph& graph);
};

/// Gives an output this shape and memory, contents undefined.
using SizeOutput = std::function<void(Tensor& output, const Shape& shape)>;
/// Sees every output of a node, those too that no value names.
using OutputVisitor = std::function<void(const std::vector<const Tensor*>& outputs)>;

/// Computes `node` of `graph` from values.current into values.owned, and makes its outputs
/// known. Outputs that no value names live until `visit` (may be empty) returns. Throws Error
/// naming the node.
void RunNode(const Graph& graph, const Node& node, const SizeOutput& size_output,
             PassValues& values, const OutputVisitor& visit = {});

}  // namespace sparsify
