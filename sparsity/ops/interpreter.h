// Runs a graph node by node: the plain, unfused forward pass.
//
// This is the reference inside the product (the executor's plans are checked against
// it) and what calibration uses when inner activations are wanted.
#pragma once

#include <functional>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

class Interpreter {
 public:
  /// Keeps a reference: `graph` must outlive the interpreter. Weights may change between runs.
  explicit Interpreter(const Graph& graph);

  /// Called after each node with its index and outputs; may be empty.
  using Observer = std::function<void(int node, const std::vector<const Tensor*>& outputs)>;

  /// Forward pass of one batch: inputs in graph order (N×…), returns the graph outputs.
  /// Activations are freed after their last reader.
  std::vector<Tensor> Run(const std::vector<const Tensor*>& inputs,
                          const Observer& observer = {}) const;

 private:
  const Graph& graph_;
  std::vector<int> last_reader_;  // by ValueId; −1 for graph outputs and parameters
};

}  // namespace sparsify
