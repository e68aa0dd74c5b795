#include "sparsity/io/onnx_export_nodes.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

void AddAttribute(pb::NodeProto& out, std::string_view name, int64_t value) {
  pb::AttributeProto& attribute = *out.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(pb::AttributeProto::INT);
  attribute.set_i(value);
}

void AddAttribute(pb::NodeProto& out, std::string_view name, double value) {
  pb::AttributeProto& attribute = *out.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(pb::AttributeProto::FLOAT);
  attribute.set_f(static_cast<float>(value));
}

void AddAttribute(pb::NodeProto& out, std::string_view name, const std::string& value) {
  pb::AttributeProto& attribute = *out.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(pb::AttributeProto::STRING);
  attribute.set_s(value);
}

void AddAttribute(pb::NodeProto& out, std::string_view name, const std::vector<int64_t>& values) {
  pb::AttributeProto& attribute = *out.add_attribute();
  attribute.set_name(std::string(name));
  attribute.set_type(pb::AttributeProto::INTS);
  attribute.mutable_ints()->Add(values.begin(), values.end());
}

// One node being written; each attribute of the graph's node must be taken up once.
class NodeWriter {
 public:
  NodeWriter(const Node& node, OnnxExport& context)
      : node_(node),
        context_(context),
        where_(fmt::format("{}: node \"{}\" ({})", context.where, node.name, OpName(node.type))) {
    for (const auto& [name, value] : node.attributes.all()) open_.insert(name);
  }

  void Run() {
    Begin(OpName(node_.type), node_.name);
    for (const ValueId id : node_.outputs) out_->add_output(ValueName(id));
    switch (node_.type) {
      case OpType::kSiLU:
        return WriteSiLU();
      case OpType::kMatMul:
        return WriteMatMul();
      default:
        break;
    }
    for (const ValueId id : node_.inputs) out_->add_input(ValueName(id));
    WriteAttributes();
    for (const std::string_view name : open_) {
      Fail(where_, "attribute \"{}\" cannot be expressed in ONNX opset {}", name,
           OnnxExportOpset(context_.graph));
    }
  }

 private:
  const std::string& ValueName(ValueId id) const {
    static const std::string absent;
    return id == kNoValue ? absent : context_.graph.value(id).name;
  }

  void Begin(std::string_view op, std::string name) {
    out_ = context_.out.add_node();
    out_->set_op_type(std::string(op));
    while (!context_.taken_nodes.insert(name).second) name += "_";
    out_->set_name(std::move(name));
  }

  void WriteSiLU() {
    const std::string& x = ValueName(node_.inputs.at(0));
    const std::string y = out_->output(0);
    const std::string gate = context_.FreshValue(y + "_sigmoid");
    out_->set_op_type("Sigmoid");
    out_->set_name(node_.name + "_sigmoid");
    out_->add_input(x);
    out_->set_output(0, gate);
    context_.taken_nodes.insert(out_->name());
    Begin("Mul", node_.name + "_mul");
    out_->add_input(x);
    out_->add_input(gate);
    out_->add_output(y);
  }

  void WriteMatMul() {
    out_->add_input(ValueName(node_.inputs.at(0)));
    const ValueId right = node_.inputs.at(1);
    if (!HasTransposedWeight(node_)) {
      out_->add_input(ValueName(right));
      return;
    }
    const auto it = context_.matmul_weights.find(right);
    if (it == context_.matmul_weights.end()) {
      Fail(where_, "has a transposed right operand that is computed, which ONNX cannot express");
    }
    out_->add_input(it->second);
  }

  void Keep(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      if (open_.erase(std::string(name)) == 0) continue;
      const Attributes::Value& value = node_.attributes.all().find(name)->second;
      if (const auto* i = std::get_if<int64_t>(&value)) AddAttribute(*out_, name, *i);
      if (const auto* f = std::get_if<double>(&value)) AddAttribute(*out_, name, *f);
      if (const auto* s = std::get_if<std::string>(&value)) AddAttribute(*out_, name, *s);
      if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) AddAttribute(*out_, name, *v);
      if (std::holds_alternative<std::vector<double>>(value)) {
        Fail(where_, "attribute \"{}\" is a list of real numbers, not expected", name);
      }
    }
  }

  // An attribute whose only expressible value is what ONNX does anyway.
  void Drop(std::string_view name, int64_t expected) {
    if (node_.attributes.Int(name, expected) == expected) open_.erase(std::string(name));
  }

  // Adds an input: a new constant named after the attribute, or an absent one (null).
  pb::TensorProto* AddInput(std::string_view name, int data_type) {
    if (!node_.attributes.Has(name)) {
      out_->add_input("");
      return nullptr;
    }
    open_.erase(std::string(name));
    pb::TensorProto& tensor = *context_.out.add_initializer();
    tensor.set_name(context_.FreshValue(fmt::format("{}_{}", node_.name, name)));
    tensor.set_data_type(data_type);
    out_->add_input(tensor.name());
    return &tensor;
  }

  void IntsInput(std::string_view name) {
    pb::TensorProto* tensor = AddInput(name, pb::TensorProto::INT64);
    if (tensor == nullptr) return;
    const auto values = node_.attributes.Ints(name, {});
    tensor->add_dims(static_cast<int64_t>(values.size()));
    tensor->mutable_int64_data()->Add(values.begin(), values.end());
  }

  void FloatsInput(std::string_view name) {
    pb::TensorProto* tensor = AddInput(name, pb::TensorProto::FLOAT);
    if (tensor == nullptr) return;
    const auto values = node_.attributes.Floats(name, {});
    tensor->add_dims(static_cast<int64_t>(values.size()));
    for (const double v : values) tensor->add_float_data(static_cast<float>(v));
  }

  void ScalarInput(std::string_view name) {
    pb::TensorProto* tensor = AddInput(name, pb::TensorProto::FLOAT);
    if (tensor == nullptr) return;
    tensor->add_float_data(static_cast<float>(node_.attributes.Float(name, 0)));
  }

  void TrimInputs() {
    while (out_->input_size() > 0 && out_->input(out_->input_size() - 1).empty()) {
      out_->mutable_input()->RemoveLast();
    }
  }

  void WriteResize() {
    Keep({"mode", "coordinate_transformation_mode", "nearest_mode"});
    const auto sizes = node_.attributes.Ints("sizes", {});
    if (std::count(sizes.begin(), sizes.end(), -1) > 0) {
      Fail(where_,
           "resizes to a fixed size with a free batch size by a factor that is no exact "
           "number, which ONNX cannot express as a constant");
    }
    out_->add_input("");  // roi
    FloatsInput("scales");
    IntsInput("sizes");
  }

  void WriteAttributes() {
    switch (node_.type) {
      case OpType::kConv:
        return Keep({"kernel_shape", "strides", "dilations", "pads", "group", "auto_pad"});
      case OpType::kBatchNormalization:
        return Keep({"epsilon", "momentum"});
      case OpType::kGemm:
        return Keep({"alpha", "beta", "transA", "transB"});
      case OpType::kHardSigmoid:
        return Keep({"alpha", "beta"});
      case OpType::kConcat:
      case OpType::kFlatten:
      case OpType::kSoftmax:
        return Keep({"axis"});
      case OpType::kMaxPool:
        return Keep({"kernel_shape", "strides", "dilations", "pads", "ceil_mode", "auto_pad"});
      case OpType::kAveragePool:
        return Keep(
            {"kernel_shape", "strides", "pads", "ceil_mode", "count_include_pad", "auto_pad"});
      case OpType::kReduceMean:
        return Keep({"axes", "keepdims"});
      case OpType::kTranspose:
        return Keep({"perm"});
      case OpType::kLRN:
        return Keep({"size", "alpha", "beta", "bias"});
      default:
        WriteFoldedInputs();
    }
  }

  void WriteFoldedInputs() {
    switch (node_.type) {
      case OpType::kClip:
        ScalarInput("min");
        ScalarInput("max");
        break;
      case OpType::kReshape:
        Drop("allowzero", 0);
        IntsInput("shape");
        break;
      case OpType::kPad:
        Keep({"mode"});
        IntsInput("pads");
        ScalarInput("constant_value");
        break;
      case OpType::kResize:
        WriteResize();
        break;
      case OpType::kSlice:
        for (const char* name : {"starts", "ends", "axes", "steps"}) IntsInput(name);
        break;
      case OpType::kSplit:
        Keep({"axis"});
        IntsInput("split");
        break;
      case OpType::kDropout:
        ScalarInput("ratio");
        break;
      default:
        break;
    }
    TrimInputs();
  }

  const Node& node_;
  OnnxExport& context_;
  const std::string where_;
  std::set<std::string, std::less<>> open_;  // attributes not written yet
  pb::NodeProto* out_ = nullptr;
};

}  // namespace

std::string OnnxExport::FreshValue(std::string wanted) {
  while (!taken_values.insert(wanted).second) wanted += "_";
  return wanted;
}

int64_t OnnxExportOpset(const Graph& graph) {
  const bool needs_14 =
      std::any_of(graph.nodes().begin(), graph.nodes().end(),
                  [](const Node& node) { return node.type == OpType::kHardSwish; });
  return needs_14 ? 14 : 13;
}

bool HasTransposedWeight(const Node& node) {
  return node.type == OpType::kMatMul && node.attributes.Int("transB", 0) != 0;
}

void ExportOnnxNode(const Node& node, OnnxExport& context) { NodeWriter(node, context).Run(); }

}  // namespace sparsify
