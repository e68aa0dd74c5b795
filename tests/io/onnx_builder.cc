#include "onnx_builder.h"

#include <cstring>
#include <numeric>

#include "sparsity/io/onnx.h"

namespace sparsify {
namespace {

void SetValueInfo(pb::ValueInfoProto& info, const std::string& name,
                  const std::vector<int64_t>& dims) {
  info.set_name(name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(pb::TensorProto::FLOAT);
  for (const int64_t d : dims) {
    auto& dim = *type.mutable_shape()->add_dim();
    if (d == -1) {
      dim.set_dim_param("batch");
    } else {
      dim.set_dim_value(d);
    }
  }
}

std::string PortDifference(const std::vector<Port>& a, const std::vector<Port>& b,
                           const Graph& in_a, const Graph& in_b) {
  if (a.size() != b.size()) return "number of inputs or outputs";
  for (size_t i = 0; i < a.size(); ++i) {
    if (in_a.value(a[i].value).name != in_b.value(b[i].value).name) return "port name";
    if (a[i].shape != b[i].shape) {
      return fmt::format("port shape {} and {}", a[i].shape.ToString(), b[i].shape.ToString());
    }
  }
  return "";
}

std::vector<std::string> Names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(id == kNoValue ? "" : graph.value(id).name);
  return names;
}

std::string ParameterDifference(const Graph& a, const Graph& b) {
  for (const Value& value : a.values()) {
    const ValueId id = b.FindValue(value.name);
    if (id == kNoValue) return "value " + value.name;
    const Value& other = b.value(id);
    if (value.is_parameter != other.is_parameter) return "kind of " + value.name;
    if (!value.is_parameter) continue;
    if (value.data.shape() != other.data.shape()) return "shape of " + value.name;
    if (std::memcmp(value.data.data(), other.data.data(),
                    static_cast<size_t>(value.data.size()) * sizeof(float)) != 0) {
      return "bits of " + value.name;
    }
  }
  return "";
}

}  // namespace

pb::AttributeProto& NodeBuilder::Add(const std::string& name,
                                     pb::AttributeProto::AttributeType type) {
  pb::AttributeProto& attribute = *node_.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

NodeBuilder& NodeBuilder::Int(const std::string& name, int64_t value) {
  Add(name, pb::AttributeProto::INT).set_i(value);
  return *this;
}

NodeBuilder& NodeBuilder::Float(const std::string& name, float value) {
  Add(name, pb::AttributeProto::FLOAT).set_f(value);
  return *this;
}

NodeBuilder& NodeBuilder::String(const std::string& name, const std::string& value) {
  Add(name, pb::AttributeProto::STRING).set_s(value);
  return *this;
}

NodeBuilder& NodeBuilder::Ints(const std::string& name, const std::vector<int64_t>& values) {
  Add(name, pb::AttributeProto::INTS).mutable_ints()->Add(values.begin(), values.end());
  return *this;
}

NodeBuilder& NodeBuilder::Floats(const std::string& name, const std::vector<float>& values) {
  Add(name, pb::AttributeProto::FLOATS).mutable_floats()->Add(values.begin(), values.end());
  return *this;
}

OnnxBuilder::OnnxBuilder(int64_t opset) {
  model_.set_ir_version(7);
  model_.add_opset_import()->set_version(opset);
  graph().set_name("net");
}

OnnxBuilder& OnnxBuilder::Input(const std::string& name, const std::vector<int64_t>& dims) {
  SetValueInfo(*graph().add_input(), name, dims);
  return *this;
}

OnnxBuilder& OnnxBuilder::Output(const std::string& name, const std::vector<int64_t>& dims) {
  SetValueInfo(*graph().add_output(), name, dims);
  return *this;
}

NodeBuilder OnnxBuilder::Node(const std::string& op, const std::vector<std::string>& inputs,
                              const std::vector<std::string>& outputs) {
  pb::NodeProto& node = *graph().add_node();
  node.set_op_type(op);
  if (!outputs.empty()) node.set_name("node_" + outputs.front());
  for (const std::string& name : inputs) node.add_input(name);
  for (const std::string& name : outputs) node.add_output(name);
  return NodeBuilder(node);
}

pb::TensorProto& OnnxBuilder::Floats(const std::string& name, const std::vector<int64_t>& dims,
                                     std::vector<float> values) {
  pb::TensorProto& tensor = *graph().add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(pb::TensorProto::FLOAT);
  tensor.mutable_dims()->Add(dims.begin(), dims.end());
  if (values.empty()) {
    values.resize(static_cast<size_t>(Shape(dims).NumElements()));
    std::iota(values.begin(), values.end(), 1.0F);
  }
  tensor.mutable_float_data()->Add(values.begin(), values.end());
  return tensor;
}

pb::TensorProto& OnnxBuilder::Ints(const std::string& name, const std::vector<int64_t>& values) {
  pb::TensorProto& tensor = *graph().add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(pb::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  tensor.mutable_int64_data()->Add(values.begin(), values.end());
  return tensor;
}

Graph OnnxBuilder::Load() const {
  const std::string bytes = Bytes();
  return ParseOnnx(bytes.data(), static_cast<int64_t>(bytes.size()), "net.onnx");
}

std::string OnnxBuilder::LoadError() const {
  return ErrorOf([this] { Load(); });
}

OnnxBuilder OneNode(const std::string& op, int64_t opset,
                    const std::vector<std::string>& more_inputs) {
  OnnxBuilder builder(opset);
  builder.Input("x", {-1, 4, 8, 8}).Output("y");
  std::vector<std::string> inputs = {"x"};
  inputs.insert(inputs.end(), more_inputs.begin(), more_inputs.end());
  builder.Node(op, inputs, {"y"});
  return builder;
}

NodeBuilder FirstNode(OnnxBuilder& builder) {
  return NodeBuilder(*builder.graph().mutable_node(0));
}

std::string RichModel() {
  OnnxBuilder builder(11);
  builder.Input("x", {1, 4, 8, 8}).Output("y", {1, 3});
  builder.Floats("w", {4, 4, 3, 3});
  builder.Floats("fc", {32, 3});
  builder.Ints("shape", {1, -1});
  builder.Ints("pads", {0, 0, 1, 1, 0, 0, 1, 1});
  builder.Ints("one", {1});
  builder.Ints("three", {3});
  builder.Floats("scales", {4}, {1, 1, 0.5, 0.5});
  builder.Floats("roi", {0});
  for (const char* name : {"s", "b", "m", "v"}) builder.Floats(name, {4});
  builder.Node("Conv", {"x", "w"}, {"c"}).String("auto_pad", "SAME_UPPER").Ints("strides", {2, 2});
  builder.Node("BatchNormalization", {"c", "s", "b", "m", "v"}, {"n"});
  builder.Node("Constant", {}, {"hi"}).Float("value_float", 6);
  builder.Node("Clip", {"n", "", "hi"}, {"r"});
  builder.Node("Pad", {"r", "pads"}, {"p"});
  builder.Node("MaxPool", {"p"}, {"q"}).Ints("kernel_shape", {3, 3}).Int("ceil_mode", 1);
  builder.Node("Resize", {"q", "roi", "scales"}, {"z"});
  builder.Node("Split", {"r"}, {"r0", "r1"}).Int("axis", 1).Ints("split", {1, 3});
  builder.Node("Concat", {"r0", "r1", "r"}, {"j"}).Int("axis", 1);
  builder.Node("Slice", {"j", "one", "three", "one"}, {"l"});
  builder.Node("Transpose", {"l"}, {"t"}).Ints("perm", {0, 1, 3, 2});
  builder.Node("Softmax", {"t"}, {"o"}).Int("axis", 1);
  builder.Node("ReduceMean", {"z"}, {"g"}).Ints("axes", {2, 3});
  builder.Node("Mul", {"o", "hi"}, {"u"});
  builder.Node("Reshape", {"u", "shape"}, {"f"});
  builder.Node("MatMul", {"f", "fc"}, {"h"});
  builder.Node("Flatten", {"g"}, {"k"});
  builder.Node("Gemm", {"k", "gw", "gb"}, {"e"});
  builder.Floats("gw", {4, 3});
  builder.Floats("gb", {1});
  builder.Node("Add", {"h", "e"}, {"y"});
  return builder.Bytes();
}

std::string Difference(const Graph& a, const Graph& b) {
  if (a.nodes().size() != b.nodes().size()) return "number of nodes";
  if (a.values().size() != b.values().size()) return "number of values";
  for (size_t i = 0; i < a.nodes().size(); ++i) {
    const Node& x = a.nodes()[i];
    const Node& y = b.nodes()[i];
    if (x.name != y.name) return fmt::format("node names {} and {}", x.name, y.name);
    if (x.type != y.type) return "type of " + x.name;
    if (Names(a, x.inputs) != Names(b, y.inputs)) return "inputs of " + x.name;
    if (Names(a, x.outputs) != Names(b, y.outputs)) return "outputs of " + x.name;
    if (!(x.attributes == y.attributes)) return "attributes of " + x.name;
  }
  std::string ports = PortDifference(a.inputs, b.inputs, a, b);
  ports += PortDifference(a.outputs, b.outputs, a, b);
  return ports.empty() ? ParameterDifference(a, b) : ports;
}

}  // namespace sparsify
