#include "sparsity/io/onnx_node.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "onnx_messages.pb.h"

namespace sparsify {
namespace {

std::string_view AttributeTypeName(int type) {
  switch (type) {
    case pb::AttributeProto::INT:
      return "an integer";
    case pb::AttributeProto::FLOAT:
      return "a float";
    case pb::AttributeProto::STRING:
      return "a string";
    case pb::AttributeProto::INTS:
      return "a list of integers";
    case pb::AttributeProto::FLOATS:
      return "a list of floats";
    case pb::AttributeProto::TENSOR:
      return "a tensor";
    case pb::AttributeProto::GRAPH:
    case pb::AttributeProto::GRAPHS:
      return "a subgraph";
    default:
      return "another type";
  }
}

}  // namespace

OnnxNode::OnnxNode(const std::string& where, const pb::NodeProto& proto, const std::string& name,
                   int64_t opset, Graph& graph, OnnxConstants& constants)
    : where_(fmt::format("{}: node \"{}\" ({}, opset {})", where, name, proto.op_type(), opset)),
      proto_(proto),
      opset_(opset),
      graph_(graph),
      constants_(constants) {
  std::set<std::string_view> seen;
  for (const auto& attribute : proto_.attribute()) {
    if (!seen.insert(attribute.name()).second) {
      Refuse("attribute \"{}\" is given twice", attribute.name());
    }
  }
}

const pb::AttributeProto* OnnxNode::Find(std::string_view name, int type) {
  read_.emplace(name);
  for (const auto& attribute : proto_.attribute()) {
    if (attribute.name() != name) continue;
    if (attribute.has_ref_attr_name() && !attribute.ref_attr_name().empty()) {
      Refuse("attribute \"{}\" refers to a function's, which is not supported", name);
    }
    if (attribute.type() != type) {
      Refuse("attribute \"{}\" is {}, expected {}", name, AttributeTypeName(attribute.type()),
             AttributeTypeName(type));
    }
    return &attribute;
  }
  return nullptr;
}

bool OnnxNode::HasAttribute(std::string_view name) const {
  return std::any_of(proto_.attribute().begin(), proto_.attribute().end(),
                     [name](const auto& attribute) { return attribute.name() == name; });
}

int64_t OnnxNode::Int(std::string_view name, int64_t fallback) {
  const auto* attribute = Find(name, pb::AttributeProto::INT);
  return attribute == nullptr ? fallback : attribute->i();
}

double OnnxNode::Float(std::string_view name, double fallback) {
  const auto* attribute = Find(name, pb::AttributeProto::FLOAT);
  return attribute == nullptr ? fallback : static_cast<double>(attribute->f());
}

std::string OnnxNode::String(std::string_view name, std::string fallback) {
  const auto* attribute = Find(name, pb::AttributeProto::STRING);
  return attribute == nullptr ? std::move(fallback) : attribute->s();
}

std::vector<int64_t> OnnxNode::Ints(std::string_view name, std::vector<int64_t> fallback) {
  const auto* attribute = Find(name, pb::AttributeProto::INTS);
  if (attribute == nullptr) return fallback;
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<double> OnnxNode::Floats(std::string_view name, std::vector<double> fallback) {
  const auto* attribute = Find(name, pb::AttributeProto::FLOATS);
  if (attribute == nullptr) return fallback;
  return {attribute->floats().begin(), attribute->floats().end()};
}

void OnnxNode::CheckAllAttributesRead() const {
  for (const auto& attribute : proto_.attribute()) {
    if (read_.contains(attribute.name())) continue;
    Refuse("attribute \"{}\" is not known for this operator and opset; known: {}", attribute.name(),
           read_.empty() ? "none" : fmt::format("{}", fmt::join(read_, ", ")));
  }
}

int OnnxNode::num_inputs() const {
  int count = proto_.input_size();
  while (count > 0 && proto_.input(count - 1).empty()) --count;
  return count;
}

bool OnnxNode::HasInput(int i) const { return i < proto_.input_size() && !proto_.input(i).empty(); }

const std::string& OnnxNode::InputName(int i) const {
  if (!HasInput(i)) Refuse("input {} is missing", i);
  return proto_.input(i);
}

bool OnnxNode::IsConstant(int i) const { return HasInput(i) && constants_.Has(proto_.input(i)); }

void OnnxNode::CheckInputCount(int low, int high) const {
  const int count = num_inputs();
  if (count < low || count > high) {
    Refuse("has {} inputs, expected {}", count,
           low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high));
  }
  for (int i = 0; i < low; ++i) InputName(i);
}

ValueId OnnxNode::Input(int i) {
  const std::string& name = InputName(i);
  if (constants_.Has(name)) return constants_.Parameter(name, ParameterLayout::kAsStored);
  const ValueId id = graph_.FindValue(name);
  if (id == kNoValue) Refuse("reads \"{}\", which nothing makes", name);
  return id;
}

void OnnxNode::CheckConstant(int i, std::string_view what) const {
  const std::string& name = InputName(i);
  if (!constants_.Has(name)) {
    Refuse("{} (\"{}\") is computed or given at run time; only constants are supported", what,
           name);
  }
}

ValueId OnnxNode::Parameter(int i, std::string_view what, ParameterLayout layout) {
  CheckConstant(i, what);
  return constants_.Parameter(proto_.input(i), layout);
}

ValueId OnnxNode::Broadcast(int i, int64_t count) {
  return constants_.Broadcast(InputName(i), count);
}

Shape OnnxNode::ConstantShape(int i) const { return constants_.ShapeOf(InputName(i)); }

std::optional<std::vector<int64_t>> OnnxNode::InputInts(int i, std::string_view what) {
  if (!HasInput(i)) return std::nullopt;
  CheckConstant(i, what);
  return constants_.Ints(proto_.input(i));
}

std::optional<std::vector<double>> OnnxNode::InputFloats(int i, std::string_view what) {
  if (!HasInput(i)) return std::nullopt;
  CheckConstant(i, what);
  return constants_.Floats(proto_.input(i));
}

int OnnxNode::num_outputs() const { return proto_.output_size(); }

}  // namespace sparsify
