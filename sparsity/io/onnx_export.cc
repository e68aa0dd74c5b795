#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <memory>
#include <utility>

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/base/log.h"
#include "sparsity/io/onnx.h"
#include "sparsity/io/onnx_constants.h"
#include "sparsity/io/onnx_export_nodes.h"

namespace sparsify {
namespace {

constexpr int64_t kIrVersion = 7;
constexpr int64_t kExternalAlignment = 4096;  // of offsets, so that readers may map the file
constexpr int64_t kSmallTensorBytes = 1024;   // stays inside the model

// Lets protobuf write into an AtomicFile piece by piece. What goes wrong is kept for Rethrow:
// protobuf writes in destructors too, where nothing may be thrown.
class FileOutput : public google::protobuf::io::CopyingOutputStream {
 public:
  explicit FileOutput(AtomicFile& file) : file_(file) {}
  bool Write(const void* bytes, int size) override {
    if (error_ != nullptr) return false;
    try {
      file_.Write({static_cast<const char*>(bytes), static_cast<size_t>(size)});
    } catch (...) {
      error_ = std::current_exception();
    }
    return error_ == nullptr;
  }
  void Rethrow() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  AtomicFile& file_;
  std::exception_ptr error_;
};

std::string_view Bytes(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()),
          static_cast<size_t>(tensor.size()) * sizeof(float)};
}

class Exporter {
 public:
  Exporter(const Graph& graph, const std::string& path, const OnnxSaveOptions& options)
      : graph_(graph), path_(path), context_{path, graph, *model_.mutable_graph(), {}, {}, {}} {
    int64_t bytes = 0;
    for (const Value& value : graph.values()) {
      context_.taken_values.insert(value.name);
      bytes += value.is_parameter ? value.data.size() * int64_t{sizeof(float)} : 0;
    }
    if (bytes > options.external_above) data_ = std::make_unique<AtomicFile>(path + ".data");
  }

  void Run() {
    CheckOrder();
    FindWeights();
    WriteHeader();
    for (size_t i = 0; i < graph_.values().size(); ++i) WriteParameter(static_cast<ValueId>(i));
    for (const Node& node : graph_.nodes()) ExportOnnxNode(node, context_);
    WritePorts();
    Commit();
  }

 private:
  struct Use {
    bool stored = false;      // some node reads it as it is
    bool transposed = false;  // a MatMul reads it as I×O
    bool is_weight = false;   // of a layer, so it may be pruned
  };

  // ONNX wants every value made before it is read.
  void CheckOrder() const {
    std::vector<bool> made(graph_.values().size(), false);
    for (size_t i = 0; i < made.size(); ++i) made[i] = graph_.values()[i].is_parameter;
    for (const Port& port : graph_.inputs) made.at(static_cast<size_t>(port.value)) = true;
    for (const Node& node : graph_.nodes()) {
      for (const ValueId id : node.inputs) {
        if (id != kNoValue && !made.at(static_cast<size_t>(id))) {
          Fail(path_, "node \"{}\" stands before the one that makes \"{}\"; sort the graph first",
               node.name, graph_.value(id).name);
        }
      }
      for (const ValueId id : node.outputs) {
        if (id != kNoValue) made.at(static_cast<size_t>(id)) = true;
      }
    }
  }

  void FindWeights() {
    uses_.resize(graph_.values().size());
    for (const Node& node : graph_.nodes()) {
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        const ValueId id = node.inputs[k];
        if (id == kNoValue || !graph_.value(id).is_parameter) continue;
        Use& use = uses_[static_cast<size_t>(id)];
        const bool is_weight =
            k == 1 && (node.type == OpType::kConv || node.type == OpType::kGemm ||
                       node.type == OpType::kMatMul);
        use.is_weight = use.is_weight || is_weight;
        (k == 1 && HasTransposedWeight(node) ? use.transposed : use.stored) = true;
      }
    }
  }

  void WriteHeader() {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name("sparsify");
    model_.set_producer_version(SPARSIFY_VERSION);
    auto& opset = *model_.add_opset_import();
    opset.set_domain("");
    opset.set_version(OnnxExportOpset(graph_));
    context_.out.set_name(graph_.name.empty() ? "network" : graph_.name);
  }

  void WriteParameter(ValueId id) {
    const Value& value = graph_.value(id);
    const Use& use = uses_[static_cast<size_t>(id)];
    if (use.stored) WriteTensor(value.name, value.data, use.is_weight);
    if (!use.transposed) return;
    if (value.data.shape().rank() != 2) {
      Fail(path_, "MatMul weight \"{}\" has shape {}, expected a matrix", value.name,
           value.data.shape().ToString());
    }
    const std::string name =
        use.stored ? context_.FreshValue(value.name + "_transposed") : value.name;
    context_.matmul_weights[id] = name;
    WriteTensor(name, Transposed(value.data), true);
  }

  // A pruned weight is +0 in the file, whatever sign a product with its mask left.
  void WriteTensor(const std::string& name, const Tensor& tensor, bool is_weight) {
    pb::TensorProto& out = *context_.out.add_initializer();
    out.set_name(name);
    out.set_data_type(pb::TensorProto::FLOAT);
    for (const int64_t d : tensor.shape().dims()) out.add_dims(d);
    if (!is_weight) return WriteBytes(out, Bytes(tensor));
    Tensor weight = tensor;
    for (float& w : weight.values()) w = w == 0 ? 0.0F : w;
    WriteBytes(out, Bytes(weight));
  }

  void WriteBytes(pb::TensorProto& out, std::string_view bytes) {
    if (data_ == nullptr || std::cmp_less(bytes.size(), kSmallTensorBytes)) {
      out.set_raw_data(bytes.data(), bytes.size());
      return;
    }
    const int64_t aligned =
        (data_bytes_ + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
    data_->Write(std::string(static_cast<size_t>(aligned - data_bytes_), '\0'));
    data_->Write(bytes);
    data_bytes_ = aligned + static_cast<int64_t>(bytes.size());
    out.set_data_location(pb::TensorProto::EXTERNAL);
    const auto add = [&out](const char* key, const std::string& text) {
      auto& entry = *out.add_external_data();
      entry.set_key(key);
      entry.set_value(text);
    };
    add("location", std::filesystem::path(data_->path()).filename().string());
    add("offset", std::to_string(aligned));
    add("length", std::to_string(bytes.size()));
  }

  void WritePort(const Port& port, pb::ValueInfoProto& info) const {
    info.set_name(graph_.value(port.value).name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(pb::TensorProto::FLOAT);
    auto& shape = *type.mutable_shape();
    for (int i = 0; i < port.shape.rank(); ++i) {
      auto& dim = *shape.add_dim();
      if (port.shape[i] >= 0) {
        dim.set_dim_value(port.shape[i]);
      } else {
        dim.set_dim_param(i == 0 ? "batch" : fmt::format("{}_dim_{}", info.name(), i));
      }
    }
  }

  void WritePorts() {
    for (const Port& port : graph_.inputs) WritePort(port, *context_.out.add_input());
    for (const Port& port : graph_.outputs) WritePort(port, *context_.out.add_output());
  }

  // The weights first: a model never refers to a data file that is not there yet.
  void Commit() {
    AtomicFile file(path_);
    FileOutput output(file);
    google::protobuf::io::CopyingOutputStreamAdaptor stream(&output);
    const bool written = model_.SerializeToZeroCopyStream(&stream) && stream.Flush();
    output.Rethrow();
    if (!written) Fail(path_, "cannot write a model beyond 2 GB");
    if (data_ != nullptr) {
      data_->Commit();
      Note("{}: weights written to {}", path_, data_->path());
    }
    file.Commit();
  }

  const Graph& graph_;
  const std::string& path_;
  pb::ModelProto model_;
  OnnxExport context_;
  std::vector<Use> uses_;
  std::unique_ptr<AtomicFile> data_;  // external data, when the model needs it
  int64_t data_bytes_ = 0;
};

}  // namespace

void SaveOnnx(const Graph& graph, const std::string& path, const OnnxSaveOptions& options) {
  Exporter(graph, path, options).Run();
}

}  // namespace sparsify
