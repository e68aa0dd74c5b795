// One ONNX node while it is converted: typed access to its attributes and inputs, with
// messages that name the node, its operator and the opset.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/graph/graph.h"
#include "sparsity/io/onnx_constants.h"

namespace sparsify {

namespace pb {
class AttributeProto;
class NodeProto;
}  // namespace pb

class OnnxNode {
 public:
  /// Keeps the references. `where` names the file, `name` the node.
  OnnxNode(const std::string& where, const pb::NodeProto& proto, const std::string& name,
           int64_t opset, Graph& graph, OnnxConstants& constants);

  int64_t opset() const { return opset_; }
  /// "model.onnx: node "conv1" (Conv, opset 13)"
  const std::string& where() const { return where_; }
  template <class... Args>
  [[noreturn]] void Refuse(fmt::format_string<Args...> format, Args&&... args) const {
    Fail(where_, format, std::forward<Args>(args)...);
  }

  // Attributes. Getters throw when the attribute has another type.
  bool HasAttribute(std::string_view name) const;
  int64_t Int(std::string_view name, int64_t fallback);
  double Float(std::string_view name, double fallback);
  std::string String(std::string_view name, std::string fallback);
  std::vector<int64_t> Ints(std::string_view name, std::vector<int64_t> fallback);
  std::vector<double> Floats(std::string_view name, std::vector<double> fallback);
  /// Throws when the node has an attribute that no getter has asked for.
  void CheckAllAttributesRead() const;

  // Inputs, counted from 0.
  int num_inputs() const;
  bool HasInput(int i) const;
  bool IsConstant(int i) const;
  /// Throws when there are fewer than `low` or more than `high`, or a gap below `low`.
  void CheckInputCount(int low, int high) const;
  /// The value of input i: an activation, or a constant made a parameter.
  ValueId Input(int i);
  /// Input i, which must be a constant; `what` names it in messages.
  ValueId Parameter(int i, std::string_view what,
                    ParameterLayout layout = ParameterLayout::kAsStored);
  ValueId Broadcast(int i, int64_t count);
  Shape ConstantShape(int i) const;
  const Shape& ParameterShape(ValueId id) const { return graph_.value(id).data.shape(); }
  /// Input i folded into numbers, or nothing when absent. Throws when it is computed.
  std::optional<std::vector<int64_t>> InputInts(int i, std::string_view what);
  std::optional<std::vector<double>> InputFloats(int i, std::string_view what);

  // Outputs.
  int num_outputs() const;

 private:
  const pb::AttributeProto* Find(std::string_view name, int type);
  const std::string& InputName(int i) const;
  void CheckConstant(int i, std::string_view what) const;

  std::string where_;
  const pb::NodeProto& proto_;
  int64_t opset_;
  Graph& graph_;
  OnnxConstants& constants_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace sparsify
