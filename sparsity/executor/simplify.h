// Graph → the same computation in fewer, more regular nodes: the step before fusing.
#pragma once

#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// A node with views resolved. `node` keeps the original ids, whose shapes and parameters
/// its operator's contract is written for.
struct SimpleNode {
  Node node;
  std::vector<ValueId> inputs;  // node.inputs with views resolved
  bool removed = false;
  bool owns_weight = false;  // Conv, Gemm or MatMul with weight (and bias) as parameters
  bool is_layer = false;     // … and the weight is one of the network's, hence prunable
};

struct SimpleGraph {
  Graph graph;                // batch norms folded; its nodes are superseded by `nodes`
  std::vector<Shape> shapes;  // by ValueId
  std::vector<SimpleNode> nodes;
  std::vector<std::vector<int>> readers;  // by resolved ValueId: nodes, ascending, each once
  std::vector<int> producer;              // by ValueId: node, or −1
  std::vector<ValueId> outputs;           // resolved

  bool IsOutput(ValueId id) const;
};

/// [N, C] as [N, C, 1, 1]; every other shape as it is.
Shape PixelShape(const Shape& shape);

/// Folds batch norms, resolves views (Identity, Dropout, Flatten and Reshape that move no
/// data), recognises x·Sigmoid(x) and x·HardSigmoid(x), turns a batch norm that could not be
/// folded into a depthwise 1×1 convolution and a mean over the pixels into
/// GlobalAveragePool, applies Gemm's alpha and beta to its parameters, and removes nodes
/// nobody reads. Throws Error when the shapes do not fit.
SimpleGraph Simplify(const Graph& graph, int64_t batch);

}  // namespace sparsify
