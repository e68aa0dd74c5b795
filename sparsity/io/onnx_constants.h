// The constants of an ONNX model: initialisers, Constant nodes, and Identity nodes on
// either. They become parameters of the Graph, or integers folded into attributes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/io/onnx_tensor.h"

namespace sparsify {

/// How a parameter is kept, relative to the file.
enum class ParameterLayout { kAsStored, kTransposed };

class OnnxConstants {
 public:
  /// `where` names the file in messages. Keeps the references.
  OnnxConstants(const std::string& where, Graph& graph, OnnxExternalData& external)
      : where_(where), graph_(graph), external_(external) {}

  /// The message must outlive this object and loses its data when it becomes a parameter.
  void Add(const std::string& name, pb::TensorProto* tensor);
  /// `name` is another name of the constant `target`.
  void AddAlias(const std::string& name, const std::string& target);
  bool Has(const std::string& name) const { return entries_.contains(name); }

  /// The graph's parameter for this constant; made on first use, then shared. Transposed
  /// needs rank 2. A second layout of one constant becomes a parameter of its own.
  ValueId Parameter(const std::string& name, ParameterLayout layout);
  /// A vector of `count` equal elements made from a one-element constant.
  ValueId Broadcast(const std::string& name, int64_t count);
  /// Rank and dimensions, without decoding.
  Shape ShapeOf(const std::string& name) const;
  /// Integers or real numbers that become an attribute.
  std::vector<int64_t> Ints(const std::string& name);
  std::vector<double> Floats(const std::string& name);

  /// Names the constants nothing used (Verbose) and the types that were converted (Note).
  void ReportUse() const;

 private:
  struct Entry {
    pb::TensorProto* tensor = nullptr;
    bool used = false;
    ValueId stored = kNoValue;
    ValueId transposed = kNoValue;
    std::map<int64_t, ValueId> broadcast;
  };

  Entry& Use(const std::string& name);
  Tensor Decode(Entry& entry);
  ValueId AddParameter(const Entry& entry, const std::string& suffix, Tensor data);

  const std::string& where_;
  Graph& graph_;
  OnnxExternalData& external_;
  std::vector<Entry> tensors_;
  std::unordered_map<std::string, size_t> entries_;  // every name, aliases included
  std::map<int, int> converted_;                     // data type → parameters
};

/// A copy of a rank-2 tensor with rows and columns exchanged.
Tensor Transposed(const Tensor& tensor);

}  // namespace sparsify
