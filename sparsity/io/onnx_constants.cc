#include "sparsity/io/onnx_constants.h"

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxFoldedElements = 256;

// Gives back the memory of the kinds of data that weights come in; clearing would keep it.
void ReleaseData(pb::TensorProto& tensor) {
  std::string().swap(*tensor.mutable_raw_data());
  google::protobuf::RepeatedField<float>().Swap(tensor.mutable_float_data());
  google::protobuf::RepeatedField<double>().Swap(tensor.mutable_double_data());
  google::protobuf::RepeatedField<int32_t>().Swap(tensor.mutable_int32_data());
}

}  // namespace

Tensor Transposed(const Tensor& tensor) {
  const int64_t rows = tensor.shape()[0];
  const int64_t columns = tensor.shape()[1];
  Tensor result = Tensor::Uninitialized({columns, rows});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) result[c * rows + r] = tensor[r * columns + c];
  }
  return result;
}

void OnnxConstants::Add(const std::string& name, pb::TensorProto* tensor) {
  if (name.empty()) Fail(where_, "an initializer has no name");
  if (!entries_.emplace(name, tensors_.size()).second) {
    Fail(where_, "constant \"{}\" is defined twice", name);
  }
  tensor->set_name(name);
  Entry entry;
  entry.tensor = tensor;
  tensors_.push_back(std::move(entry));
}

void OnnxConstants::AddAlias(const std::string& name, const std::string& target) {
  if (!entries_.emplace(name, entries_.at(target)).second) {
    Fail(where_, "constant \"{}\" is defined twice", name);
  }
}

OnnxConstants::Entry& OnnxConstants::Use(const std::string& name) {
  Entry& entry = tensors_[entries_.at(name)];
  entry.used = true;
  return entry;
}

ValueId OnnxConstants::AddParameter(const Entry& entry, const std::string& suffix, Tensor data) {
  const std::string& name = entry.tensor->name();
  if (graph_.FindValue(name) == kNoValue) return graph_.AddParameter(name, std::move(data));
  std::string other = name + suffix;
  while (graph_.FindValue(other) != kNoValue || Has(other)) other += "_";
  Note("{}: \"{}\" is used in two layouts; the second is kept as parameter \"{}\"", where_, name,
       other);
  return graph_.AddParameter(std::move(other), std::move(data));
}

// Decodes once; later layouts derive from the parameter that exists already.
Tensor OnnxConstants::Decode(Entry& entry) {
  if (entry.stored != kNoValue) return graph_.value(entry.stored).data;
  if (entry.transposed != kNoValue) return Transposed(graph_.value(entry.transposed).data);
  pb::TensorProto& proto = *entry.tensor;
  Tensor tensor = DecodeOnnxFloats(where_, proto, external_);
  if (tensor.empty()) {
    Fail(where_, "parameter \"{}\" of shape {} has no elements", proto.name(),
         tensor.shape().ToString());
  }
  if (entry.broadcast.empty() && proto.data_type() != pb::TensorProto::FLOAT) {
    ++converted_[proto.data_type()];
  }
  return tensor;
}

ValueId OnnxConstants::Parameter(const std::string& name, ParameterLayout layout) {
  Entry& entry = Use(name);
  const bool transpose = layout == ParameterLayout::kTransposed;
  ValueId& id = transpose ? entry.transposed : entry.stored;
  if (id != kNoValue) return id;
  if (transpose && entry.tensor->dims_size() != 2) {
    Fail(where_, "matrix \"{}\" has shape {}, expected two dimensions", entry.tensor->name(),
         ShapeOf(name).ToString());
  }
  Tensor tensor = Decode(entry);
  if (transpose) tensor = Transposed(tensor);
  id = AddParameter(entry, transpose ? "_transposed" : "_stored", std::move(tensor));
  ReleaseData(*entry.tensor);
  return id;
}

ValueId OnnxConstants::Broadcast(const std::string& name, int64_t count) {
  Entry& entry = Use(name);
  const auto [it, is_new] = entry.broadcast.try_emplace(count, kNoValue);
  if (!is_new) return it->second;
  const Tensor one = Decode(entry);
  Tensor many = Tensor::Uninitialized({count});
  many.Fill(one[0]);
  it->second = AddParameter(entry, "_broadcast", std::move(many));
  return it->second;
}

Shape OnnxConstants::ShapeOf(const std::string& name) const {
  const pb::TensorProto& tensor = *tensors_[entries_.at(name)].tensor;
  return Shape(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end()));
}

std::vector<int64_t> OnnxConstants::Ints(const std::string& name) {
  return DecodeOnnxInts(where_, *Use(name).tensor, external_);
}

std::vector<double> OnnxConstants::Floats(const std::string& name) {
  Entry& entry = Use(name);
  if (entry.stored == kNoValue && entry.transposed == kNoValue) {
    const Shape shape = ShapeOf(name);
    if (shape.rank() > 1 || (shape.rank() == 1 && shape[0] > kMaxFoldedElements)) {
      Fail(where_, "tensor \"{}\" has shape {}, expected a short list of numbers", name,
           shape.ToString());
    }
    const Tensor tensor = DecodeOnnxFloats(where_, *entry.tensor, external_);
    return {tensor.values().begin(), tensor.values().end()};
  }
  const Tensor tensor = Decode(entry);
  return {tensor.values().begin(), tensor.values().end()};
}

void OnnxConstants::ReportUse() const {
  for (const Entry& entry : tensors_) {
    if (!entry.used) Verbose("{}: unused constant \"{}\" dropped", where_, entry.tensor->name());
  }
  for (const auto& [type, count] : converted_) {
    Note("{}: {} {} {} converted to float", where_, count, OnnxTypeName(type),
         count == 1 ? "parameter" : "parameters");
  }
}

}  // namespace sparsify
