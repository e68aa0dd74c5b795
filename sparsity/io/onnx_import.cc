#include <fcntl.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"
#include "sparsity/io/onnx_model.h"
#include "sparsity/io/onnx_node.h"
#include "sparsity/io/onnx_partial_shapes.h"
#include "sparsity/io/onnx_resolve.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxMessageBytes = (int64_t{1} << 31) - 1;  // protobuf's own limit
constexpr size_t kMaxInputs = 1024;
constexpr int64_t kMaxPortDim = int64_t{1} << 31;

bool HasLayerWeight(const Graph& graph, const Node& node) {
  const bool weighted =
      node.type == OpType::kConv || node.type == OpType::kGemm || node.type == OpType::kMatMul;
  return weighted && graph.value(node.inputs[1]).is_parameter;
}

// Builds the graph of one model. The message loses its weights to it.
class Importer {
 public:
  Importer(const std::string& where, pb::ModelProto& model, OnnxExternalData external)
      : where_(where),
        external_(std::move(external)),
        constants_(where, graph_, external_),
        model_(where, model, constants_) {}

  Graph Run() {
    graph_.name = where_;  // while messages may name it
    AddInputs();
    for (const int i : model_.live_nodes()) AddOutputValues(i);
    for (const int i : model_.live_nodes()) AddNode(i);
    AddOutputs();
    graph_.SortAndCheck();
    ResolveOnnxGraph(where_, fixed_batch_, graph_);
    MakeNodeNamesUnique();
    MakeZerosPositive();
    constants_.ReportUse();
    graph_.name = std::filesystem::path(where_).stem().string();
    return std::move(graph_);
  }

 private:
  // Dimensions of a graph input or output; open ones are −1.
  Shape DeclaredShape(const pb::ValueInfoProto& info, std::string_view what) const {
    const auto& type = info.type().tensor_type();
    if (!info.type().has_tensor_type() || !IsOnnxFloatType(type.elem_type())) {
      Fail(where_, "{} \"{}\" has type {}, expected float", what, info.name(),
           info.type().has_tensor_type() ? OnnxTypeName(type.elem_type()) : "other than tensor");
    }
    if (type.elem_type() != pb::TensorProto::FLOAT) {
      Note("{}: {} \"{}\" of type {} becomes float", where_, what, info.name(),
           OnnxTypeName(type.elem_type()));
    }
    std::vector<int64_t> dims;
    for (const auto& dim : type.shape().dim()) {
      const bool open = !dim.has_dim_value() || dim.dim_value() <= 0;
      if (!open && dim.dim_value() > kMaxPortDim) {
        Fail(where_, "{} \"{}\" has a dimension of {}", what, info.name(), dim.dim_value());
      }
      dims.push_back(open ? kUnknownDim : dim.dim_value());
    }
    if (dims.size() > kMaxOnnxRank) {
      Fail(where_, "{} \"{}\" has {} dimensions, more than {}", what, info.name(), dims.size(),
           kMaxOnnxRank);
    }
    return Shape(std::move(dims));
  }

  void AddInputs() {
    for (const auto& info : model_.graph().input()) {
      if (constants_.Has(info.name())) continue;  // an initialiser's default
      Shape shape = DeclaredShape(info, "input");
      if (shape.rank() == 0) Fail(where_, "input \"{}\" has no shape", info.name());
      if (shape[0] != kUnknownDim) {
        Verbose("{}: input \"{}\" of shape {}: the batch size is made free", where_, info.name(),
                shape.ToString());
        fixed_batch_ = shape[0];
      }
      shape.set_dim(0, kUnknownDim);
      graph_.inputs.push_back({graph_.AddActivation(info.name()), std::move(shape)});
      if (graph_.inputs.size() > kMaxInputs) Fail(where_, "has more than {} inputs", kMaxInputs);
    }
    if (graph_.inputs.empty()) Fail(where_, "the graph has no inputs");
  }

  void AddOutputValues(int index) {
    const pb::NodeProto& node = model_.node(index);
    for (int k = 0; k < node.output_size(); ++k) {
      if (k > 0 && model_.op(index).type != OpType::kSplit) break;
      std::string name = node.output(k);
      if (name.empty()) {
        name = fmt::format("{}_{}_output_{}", node.op_type(), index, k);
        while (model_.IsTaken(name) || graph_.FindValue(name) != kNoValue) name += "_";
      }
      outputs_.push_back(graph_.AddActivation(std::move(name)));
    }
  }

  void AddOutputs() {
    std::set<std::string> seen;
    for (const auto& info : model_.graph().output()) {
      const ValueId id = graph_.FindValue(info.name());
      if (id == kNoValue) {
        Fail(where_, "output \"{}\" is {}", info.name(),
             constants_.Has(info.name()) ? "a constant" : "made by no node");
      }
      if (std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                      [id](const Port& port) { return port.value == id; })) {
        Fail(where_, "output \"{}\" is an input of the graph", info.name());
      }
      if (!seen.insert(info.name()).second)
        Fail(where_, "output \"{}\" is listed twice", info.name());
      graph_.outputs.push_back({id, DeclaredShape(info, "output")});
    }
  }

  void AddNode(int index) {
    const pb::NodeProto& proto = model_.node(index);
    const OnnxOp& op = model_.op(index);
    Node node;
    node.name = model_.NodeName(index);
    node.type = op.type;
    OnnxNode reader(where_, proto, node.name, model_.opset(), graph_, constants_);
    reader.CheckInputCount(op.min_inputs, op.max_inputs);
    for (int k = 0; k < proto.output_size(); ++k) {
      if (k > 0 && op.type != OpType::kSplit) {
        if (!proto.output(k).empty() && model_.IsRead(proto.output(k))) {
          reader.Refuse("output {} (\"{}\") is used, which is not supported", k, proto.output(k));
        }
        continue;
      }
      node.outputs.push_back(outputs_[next_output_++]);
    }
    if (node.outputs.empty()) reader.Refuse("has no outputs");
    op.convert(reader, node);
    reader.CheckAllAttributesRead();
    if (std::all_of(node.inputs.begin(), node.inputs.end(),
                    [this](ValueId id) { return graph_.value(id).is_parameter; })) {
      Note("{} computes a constant; fold constants before, or what it makes cannot be pruned",
           reader.where());
    }
    graph_.AddNode(std::move(node));
  }

  void MakeNodeNamesUnique() {
    std::set<std::string> taken;
    std::map<std::string, int> next_suffix;  // keeps this linear when every name is the same
    for (Node& node : graph_.mutable_nodes()) {
      std::string name = node.name;
      while (!taken.insert(name).second) {
        name =
            fmt::format("{}_{}", node.name, ++next_suffix.try_emplace(node.name, 1).first->second);
      }
      if (name != node.name) {
        Verbose("{}: second node \"{}\" renamed \"{}\"", where_, node.name, name);
        node.name = std::move(name);
      }
    }
  }

  // So that equal weights are equal bits, whatever a training or a mask left.
  void MakeZerosPositive() {
    for (const Node& node : graph_.nodes()) {
      if (!HasLayerWeight(graph_, node)) continue;
      for (float& w : graph_.mutable_value(node.inputs[1]).data.values()) w += 0.0F;
    }
  }

  const std::string& where_;
  Graph graph_;
  OnnxExternalData external_;
  OnnxConstants constants_;
  OnnxModel model_;
  int64_t fixed_batch_ = -1;
  std::vector<ValueId> outputs_;  // of the live nodes, in order
  size_t next_output_ = 0;
};

Graph Import(const std::string& where, bool parsed, pb::ModelProto& model,
             OnnxExternalData external) {
  if (!parsed) Fail(where, "is not an ONNX model, or is truncated");
  if (!model.has_graph()) Fail(where, "holds no graph; is it an ONNX model?");
  return Importer(where, model, std::move(external)).Run();
}

class FileDescriptor {
 public:
  explicit FileDescriptor(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) Fail(path, "cannot open: {}", std::strerror(errno));
  }
  ~FileDescriptor() { close(fd_); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

int64_t CheckedFileSize(const std::string& path, int64_t max_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) Fail(path, "no such file");
  if (!std::filesystem::is_regular_file(status)) Fail(path, "is not a regular file");
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) Fail(path, "cannot read: {}", error.message());
  if (size == 0) Fail(path, "is empty");
  if (size > max_bytes) {
    Fail(path, "has {} bytes, more than the limit of {}", size, max_bytes);
  }
  if (size > kMaxMessageBytes) {
    Fail(path, "has {} bytes; ONNX files above 2 GB must keep their weights as external data",
         size);
  }
  return size;
}

}  // namespace

Graph LoadOnnx(const std::string& path, const OnnxLoadOptions& options) {
  const int64_t size = CheckedFileSize(path, options.max_bytes);
  pb::ModelProto model;
  bool parsed = false;
  {
    const FileDescriptor file(path);
    google::protobuf::io::FileInputStream stream(file.get());
    parsed = model.ParseFromBoundedZeroCopyStream(&stream, static_cast<int>(size));
    if (stream.GetErrno() != 0) Fail(path, "cannot read: {}", std::strerror(stream.GetErrno()));
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return Import(path, parsed, model, OnnxExternalData(folder, options.max_bytes - size));
}

Graph ParseOnnx(const void* bytes, int64_t size, const std::string& where) {
  if (size <= 0) Fail(where, "is empty");
  if (size > kMaxMessageBytes) Fail(where, "has {} bytes, more than 2 GB", size);
  pb::ModelProto model;
  const bool parsed = model.ParseFromArray(bytes, static_cast<int>(size));
  return Import(where, parsed, model, OnnxExternalData(std::nullopt, 0));
}

}  // namespace sparsify
