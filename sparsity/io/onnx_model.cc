#include "sparsity/io/onnx_model.h"

#include <algorithm>
#include <set>

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

constexpr int kMaxPorts = 1024;

bool IsDefaultDomain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

bool IsOp(const pb::NodeProto& node, std::string_view op) {
  return node.op_type() == op && IsDefaultDomain(node.domain());
}

int64_t CheckedOpset(const std::string& where, const pb::ModelProto& model) {
  int64_t opset = -1;
  for (const auto& import : model.opset_import()) {
    if (IsDefaultDomain(import.domain())) opset = std::max(opset, import.version());
  }
  if (opset < 0) {
    Fail(where, "declares no opset of the default domain; opsets {} to {} are supported",
         kMinOnnxOpset, kMaxOnnxOpset);
  }
  if (opset < kMinOnnxOpset || opset > kMaxOnnxOpset) {
    Fail(where, "uses opset {}; opsets {} to {} are supported, convert the model first", opset,
         kMinOnnxOpset, kMaxOnnxOpset);
  }
  return opset;
}

// Moves the value of a Constant node, whatever its kind, into attribute.t.
bool MakeTensor(pb::AttributeProto& attribute) {
  const auto is = [&](std::string_view name, int type) {
    return attribute.name() == name && attribute.type() == type;
  };
  pb::TensorProto& tensor = *attribute.mutable_t();
  if (is("value", pb::AttributeProto::TENSOR)) return true;
  if (is("value_float", pb::AttributeProto::FLOAT)) {
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.add_float_data(attribute.f());
    return true;
  }
  if (is("value_floats", pb::AttributeProto::FLOATS)) {
    tensor.set_data_type(pb::TensorProto::FLOAT);
    tensor.add_dims(attribute.floats_size());
    tensor.mutable_float_data()->Swap(attribute.mutable_floats());
    return true;
  }
  if (is("value_int", pb::AttributeProto::INT)) {
    tensor.set_data_type(pb::TensorProto::INT64);
    tensor.add_int64_data(attribute.i());
    return true;
  }
  if (is("value_ints", pb::AttributeProto::INTS)) {
    tensor.set_data_type(pb::TensorProto::INT64);
    tensor.add_dims(attribute.ints_size());
    tensor.mutable_int64_data()->Swap(attribute.mutable_ints());
    return true;
  }
  return false;
}

}  // namespace

OnnxModel::OnnxModel(const std::string& where, pb::ModelProto& model, OnnxConstants& constants)
    : where_(where),
      graph_(*model.mutable_graph()),
      constants_(constants),
      opset_(CheckedOpset(where, model)) {
  CheckHeader(model);
  CollectConstants();
  CollectIdentities();
  CollectProducers();
  MarkLiveNodes();
  CheckSupported();
}

const pb::NodeProto& OnnxModel::node(int index) const { return graph_.node(index); }

const OnnxOp& OnnxModel::op(int index) const { return *FindOp(node(index)); }

std::string OnnxModel::NodeName(int index) const {
  const std::string& name = node(index).name();
  return name.empty() ? fmt::format("{}_{}", node(index).op_type(), index) : name;
}

bool OnnxModel::IsTaken(const std::string& name) const {
  return producers_.contains(name) || constants_.Has(name) || read_names_.contains(name);
}

const OnnxOp* OnnxModel::FindOp(const pb::NodeProto& node) const {
  return IsDefaultDomain(node.domain()) ? FindOnnxOp(node.op_type(), opset_) : nullptr;
}

void OnnxModel::CheckHeader(const pb::ModelProto& model) const {
  if (model.functions_size() > 0) Fail(where_, "defines functions, which are not supported");
  if (model.training_info_size() > 0) {
    Fail(where_, "holds training information; export the model for inference");
  }
  if (graph_.sparse_initializer_size() > 0) {
    Fail(where_, "holds sparse initializers, which are not supported; store them dense");
  }
  if (graph_.quantization_annotation_size() > 0) {
    Fail(where_, "has quantization annotations; quantised models are refused");
  }
  if (graph_.node_size() == 0) Fail(where_, "the graph has no nodes");
  if (graph_.output_size() == 0) Fail(where_, "the graph has no outputs");
  if (graph_.output_size() > kMaxPorts) {
    Fail(where_, "the graph has {} outputs, more than {}", graph_.output_size(), kMaxPorts);
  }
}

void OnnxModel::CollectConstants() {
  for (auto& tensor : *graph_.mutable_initializer()) {
    constants_.Add(std::string(tensor.name()), &tensor);
  }
  for (int i = 0; i < graph_.node_size(); ++i) {
    pb::NodeProto& node = *graph_.mutable_node(i);
    if (IsOp(node, "Constant")) AddConstantNode(i, node);
  }
}

// Identity nodes on constants, and on such Identity nodes, are other names of them.
void OnnxModel::CollectIdentities() {
  std::unordered_map<std::string, std::vector<int>> readers;
  std::vector<std::string> known;
  for (int i = 0; i < graph_.node_size(); ++i) {
    const pb::NodeProto& node = graph_.node(i);
    if (!IsOp(node, "Identity") || node.input_size() != 1 || node.output_size() != 1) continue;
    readers[node.input(0)].push_back(i);
    if (constants_.Has(node.input(0))) known.push_back(node.input(0));
  }
  while (!known.empty()) {
    const auto found = readers.extract(known.back());
    known.pop_back();
    if (found.empty()) continue;
    for (const int i : found.mapped()) {
      constants_.AddAlias(graph_.node(i).output(0), found.key());
      constant_nodes_.insert(i);
      known.push_back(graph_.node(i).output(0));
    }
  }
}

void OnnxModel::AddConstantNode(int index, pb::NodeProto& node) {
  const std::string where =
      fmt::format("{}: node \"{}\" (Constant, opset {})", where_, NodeName(index), opset_);
  if (node.output_size() != 1 || node.attribute_size() != 1 || node.input_size() != 0) {
    Fail(where, "has {} inputs, {} outputs and {} attributes, expected 0, 1 and 1",
         node.input_size(), node.output_size(), node.attribute_size());
  }
  pb::AttributeProto& attribute = *node.mutable_attribute(0);
  if (!MakeTensor(attribute)) {
    Fail(where,
         "attribute \"{}\" is unknown or of another type than its name says; supported: value, "
         "value_float, value_floats, value_int, value_ints",
         attribute.name());
  }
  constants_.Add(node.output(0), attribute.mutable_t());
  constant_nodes_.insert(index);
}

void OnnxModel::CollectProducers() {
  for (int i = 0; i < graph_.node_size(); ++i) {
    if (constant_nodes_.contains(i)) continue;
    for (const std::string& name : graph_.node(i).output()) {
      if (name.empty()) continue;
      if (constants_.Has(name) || !producers_.emplace(name, i).second) {
        Fail(where_, "value \"{}\" is made twice, again by node \"{}\"", name, NodeName(i));
      }
    }
  }
}

void OnnxModel::MarkLiveNodes() {
  std::vector<bool> live(static_cast<size_t>(graph_.node_size()), false);
  std::vector<int> pending;
  const auto read = [&](const std::string& name) {
    read_names_.insert(name);
    const auto it = producers_.find(name);
    if (it == producers_.end() || live[static_cast<size_t>(it->second)]) return;
    live[static_cast<size_t>(it->second)] = true;
    pending.push_back(it->second);
  };
  for (const auto& output : graph_.output()) read(output.name());
  while (!pending.empty()) {
    const pb::NodeProto& reader = graph_.node(pending.back());
    pending.pop_back();
    for (const std::string& name : reader.input()) read(name);
  }
  for (int i = 0; i < graph_.node_size(); ++i) {
    if (live[static_cast<size_t>(i)]) {
      live_nodes_.push_back(i);
    } else if (!constant_nodes_.contains(i)) {
      Verbose("{}: node \"{}\" reaches no output and is dropped", where_, NodeName(i));
    }
  }
}

void OnnxModel::CheckSupported() const {
  int first = -1;
  std::set<std::string> also;
  for (const int i : live_nodes_) {
    if (FindOp(node(i)) != nullptr) continue;
    if (first < 0) first = i;
    if (node(i).op_type() != node(first).op_type()) also.insert(node(i).op_type());
  }
  if (first < 0) return;
  std::string others;
  for (const std::string& op : also) others += (others.empty() ? "" : ", ") + op;
  if (!others.empty()) others = " (nor are these, also used: " + others + ")";
  const std::string& domain = node(first).domain();
  Fail(where_,
       "node \"{}\": operator {} (domain \"{}\", opset {}) is not supported{}; supported: {}",
       NodeName(first), node(first).op_type(), domain.empty() ? "ai.onnx" : domain, opset_, others,
       SupportedOnnxOps());
}

}  // namespace sparsify
