#include "sparsity/graph/logits.h"

namespace sparsify {

ValueId LogitsOf(const Graph& graph) {
  const ValueId output = graph.outputs.at(0).value;
  const int producer = graph.Producer(output);
  if (producer < 0 || graph.node(producer).type != OpType::kSoftmax) return output;
  return graph.node(producer).inputs[0];
}

}  // namespace sparsify
