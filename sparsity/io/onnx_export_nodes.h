// Graph nodes to ONNX nodes of opset 13 (14 for HardSwish): attributes that the opset
// wants as inputs become constants again, SiLU becomes Sigmoid and Mul.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "sparsity/graph/graph.h"

namespace sparsify {

namespace pb {
class GraphProto;
}

struct OnnxExport {
  const std::string& where;  // names the file in messages
  const Graph& graph;
  pb::GraphProto& out;
  std::set<std::string> taken_values;  // every value name of the file
  std::set<std::string> taken_nodes;
  /// Parameters that MatMul nodes read: their name in the file, where they are I×O.
  std::map<ValueId, std::string> matmul_weights;

  /// `wanted`, or a variation that is not taken yet; then it is.
  std::string FreshValue(std::string wanted);
};

/// Opset that the operators of this graph need.
int64_t OnnxExportOpset(const Graph& graph);
/// Whether `node` is a MatMul whose right operand is kept transposed (O×I).
bool HasTransposedWeight(const Node& node);
/// Appends the nodes and constants for `node`. Throws Error naming the node and the
/// attribute that ONNX cannot express.
void ExportOnnxNode(const Node& node, OnnxExport& context);

}  // namespace sparsify
