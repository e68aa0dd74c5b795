// Small ONNX models made in memory for the tests of the importer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

/// A node's attributes, set fluently.
class NodeBuilder {
 public:
  explicit NodeBuilder(pb::NodeProto& node) : node_(node) {}
  NodeBuilder& Int(const std::string& name, int64_t value);
  NodeBuilder& Float(const std::string& name, float value);
  NodeBuilder& String(const std::string& name, const std::string& value);
  NodeBuilder& Ints(const std::string& name, const std::vector<int64_t>& values);
  NodeBuilder& Floats(const std::string& name, const std::vector<float>& values);
  pb::NodeProto& proto() { return node_; }

 private:
  pb::AttributeProto& Add(const std::string& name, pb::AttributeProto::AttributeType type);

  pb::NodeProto& node_;
};

class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset);

  /// A dimension of −1 becomes the parameter "batch".
  OnnxBuilder& Input(const std::string& name, const std::vector<int64_t>& dims);
  OnnxBuilder& Output(const std::string& name, const std::vector<int64_t>& dims = {});
  /// Node named like its first output with "node_" in front.
  NodeBuilder Node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs);
  /// Values 1, 2, 3 …, or the given ones.
  pb::TensorProto& Floats(const std::string& name, const std::vector<int64_t>& dims,
                          std::vector<float> values = {});
  pb::TensorProto& Ints(const std::string& name, const std::vector<int64_t>& values);

  pb::ModelProto& model() { return model_; }
  pb::GraphProto& graph() { return *model_.mutable_graph(); }
  std::string Bytes() const { return model_.SerializeAsString(); }
  /// Parses the model; messages call it "net.onnx".
  Graph Load() const;
  /// The message of the Error that Load throws, or "no error".
  std::string LoadError() const;

 private:
  pb::ModelProto model_;
};

/// x[batch, 4, 8, 8] → op(x, inputs…) → y, with every constant to be added by the caller.
OnnxBuilder OneNode(const std::string& op, int64_t opset,
                    const std::vector<std::string>& more_inputs = {});
/// The attributes of the only node of `builder`, to set before loading.
NodeBuilder FirstNode(OnnxBuilder& builder);

/// A model with a bit of everything, so that its mutants reach every part of the importer.
std::string RichModel();

/// Empty, or the first difference between two graphs: structure, names (except the
/// network's), attributes, and parameters bit by bit.
std::string Difference(const Graph& a, const Graph& b);

/// Message of the Error that `body` throws, or "no error".
template <class Body>
std::string ErrorOf(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace sparsify
