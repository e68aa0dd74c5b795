// An ONNX model before conversion: checked header, its constants found, and which nodes
// matter (those that reach an output).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sparsity/io/onnx_constants.h"
#include "sparsity/io/onnx_convert.h"

namespace sparsify {

namespace pb {
class GraphProto;
class ModelProto;
class NodeProto;
}  // namespace pb

class OnnxModel {
 public:
  /// Checks header, opset and operators; adds every constant to `constants`. Keeps the
  /// references. Throws Error ("where: …").
  OnnxModel(const std::string& where, pb::ModelProto& model, OnnxConstants& constants);

  int64_t opset() const { return opset_; }
  const pb::GraphProto& graph() const { return graph_; }
  /// Indices of the nodes to convert, in file order.
  const std::vector<int>& live_nodes() const { return live_nodes_; }
  const pb::NodeProto& node(int index) const;
  const OnnxOp& op(int index) const;
  /// The node's name, or one made of operator and index.
  std::string NodeName(int index) const;
  /// Whether a node to convert, or a graph output, reads this value.
  bool IsRead(const std::string& name) const { return read_names_.contains(name); }
  /// Whether any value of the file has this name.
  bool IsTaken(const std::string& name) const;

 private:
  const OnnxOp* FindOp(const pb::NodeProto& node) const;
  void CheckHeader(const pb::ModelProto& model) const;
  void CollectConstants();
  void CollectIdentities();
  void AddConstantNode(int index, pb::NodeProto& node);
  void CollectProducers();
  void MarkLiveNodes();
  void CheckSupported() const;

  const std::string& where_;
  pb::GraphProto& graph_;
  OnnxConstants& constants_;
  const int64_t opset_;
  std::unordered_set<int> constant_nodes_;
  std::unordered_map<std::string, int> producers_;  // value name → node
  std::unordered_set<std::string> read_names_;
  std::vector<int> live_nodes_;
};

}  // namespace sparsify
