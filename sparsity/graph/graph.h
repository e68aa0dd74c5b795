// The network as data: values (tensors with a name) and nodes in topological order.
//
// A value is either an activation (made by exactly one node, or a graph input) or a
// parameter (an initialiser with data). One parameter may feed several nodes.
// Conventions that every reader of a file establishes and every consumer relies on:
//   Conv    inputs {x, W[O, I/groups, KH, KW], optional bias[O]}
//           attributes kernel_shape, strides, dilations, pads (top, left, bottom, right), group
//   BatchNormalization  inputs {x, scale[C], bias[C], mean[C], var[C]}, attribute epsilon
//   Gemm    inputs {x[N, I], W[O, I], optional bias[O] or [1, O]}, y = alpha·x·Wᵀ + beta·bias
//           (attribute transB is always 1 when W is a parameter)
//   MatMul  a 2-D parameter on the right is stored as W[O, I] with attribute transB = 1
//   Integer inputs of ONNX (shape, pads, axes, starts …) are attributes of the same name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/graph/attributes.h"
#include "sparsity/graph/op_type.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an absent optional input

struct Value {
  std::string name;
  bool is_parameter = false;
  Tensor data;  // parameters only
};

struct Node {
  std::string name;
  OpType type = OpType::kIdentity;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;
};

/// A graph input or output. Dimension 0 of `shape` is −1 when the batch size is free.
struct Port {
  ValueId value = kNoValue;
  Shape shape;
};

class Graph {
 public:
  /// Adds an activation. Throws when the name is taken or empty.
  ValueId AddActivation(std::string value_name);
  /// Adds a parameter. Throws when the name is taken or empty.
  ValueId AddParameter(std::string value_name, Tensor data);
  /// Appends a node; returns its index. Nodes may be added in any order, then call Sort.
  int AddNode(Node node);

  /// Orders the nodes topologically (stable) and checks the structure: indices in range,
  /// every activation made exactly once, no cycle, outputs reachable. Throws otherwise.
  void SortAndCheck();

  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<Node>& mutable_nodes() { return nodes_; }
  const Value& value(ValueId id) const { return values_.at(static_cast<size_t>(id)); }
  Value& mutable_value(ValueId id) { return values_.at(static_cast<size_t>(id)); }
  const Node& node(int index) const { return nodes_.at(static_cast<size_t>(index)); }

  /// Id of the value with this name, or kNoValue.
  ValueId FindValue(std::string_view value_name) const;
  /// Index of the node that makes `id`, or −1 (graph inputs and parameters).
  int Producer(ValueId id) const;
  /// Indices of the nodes that read `id`, ascending, each once.
  std::vector<int> Consumers(ValueId id) const;
  /// Whether `id` is an output of the network.
  bool IsOutput(ValueId id) const;

  std::string name;  // of the network; the file's stem by default
  std::vector<Port> inputs;
  std::vector<Port> outputs;

 private:
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::map<std::string, ValueId, std::less<>> by_name_;
};

/// Total number of parameter elements.
int64_t CountParameters(const Graph& graph);

/// Throws "model.onnx: weight "conv1.weight": NaN at index …" on the first non-finite parameter.
void CheckParametersFinite(const Graph& graph, std::string_view where);

}  // namespace sparsify
