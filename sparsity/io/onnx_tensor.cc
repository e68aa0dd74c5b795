#include "sparsity/io/onnx_tensor.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

#include "onnx_messages.pb.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

static_assert(std::endian::native == std::endian::little, "raw tensor data is little-endian");

constexpr int64_t kMaxFoldedElements = 256;
constexpr auto kTypeNames = std::to_array<std::string_view>(
    {"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool",
     "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16"});

std::string Describe(const std::string& where, const pb::TensorProto& tensor) {
  return fmt::format("{}: tensor \"{}\"", where, tensor.name());
}

int64_t ElementBytes(int data_type) {
  switch (data_type) {
    case pb::TensorProto::BOOL:
      return 1;
    case pb::TensorProto::FLOAT16:
    case pb::TensorProto::BFLOAT16:
      return 2;
    case pb::TensorProto::FLOAT:
    case pb::TensorProto::INT32:
      return 4;
    default:
      return 8;
  }
}

Shape CheckedShape(const std::string& where, const pb::TensorProto& tensor) {
  const Shape shape(std::vector<int64_t>(tensor.dims().begin(), tensor.dims().end()));
  for (const int64_t d : shape.dims()) {
    if (d < 0) Fail(Describe(where, tensor), "negative dimension in {}", shape.ToString());
  }
  if (tensor.has_segment()) {
    Fail(Describe(where, tensor), "is split into segments, which is not supported");
  }
  try {
    shape.NumElements();
  } catch (const Error& error) {
    Fail(Describe(where, tensor), "{}", error.what());
  }
  return shape;
}

bool IsExternal(const pb::TensorProto& tensor) {
  return tensor.data_location() == pb::TensorProto::EXTERNAL;
}

bool HasRawBytes(const pb::TensorProto& tensor) {
  return IsExternal(tensor) || tensor.has_raw_data();
}

// The bytes of a tensor stored raw: a view of the message, or of `buffer` when external.
std::string_view RawBytes(const std::string& where, const pb::TensorProto& tensor, int64_t count,
                          OnnxExternalData& external, std::string& buffer) {
  const int64_t bytes = count * ElementBytes(tensor.data_type());
  if (IsExternal(tensor)) {
    buffer = external.Read(where, tensor, bytes);
    return buffer;
  }
  if (std::cmp_not_equal(tensor.raw_data().size(), bytes)) {
    Fail(Describe(where, tensor), "holds {} bytes, its {} {} elements need {}",
         tensor.raw_data().size(), count, OnnxTypeName(tensor.data_type()), bytes);
  }
  return tensor.raw_data();
}

template <class T>
T Load(std::string_view bytes, int64_t i) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

float FromBfloat16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

float FromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa · 2^-24
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t wide_exponent = exponent == 0x1FU ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (mantissa << 13));
}

float FromDouble(const std::string& where, const pb::TensorProto& tensor, double value) {
  if (std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max()) {
    Fail(Describe(where, tensor), "{} is beyond the range of float", value);
  }
  return static_cast<float>(value);
}

void CheckCount(const std::string& where, const pb::TensorProto& tensor, int64_t stored,
                int64_t count) {
  if (stored != count) {
    Fail(Describe(where, tensor), "holds {} values, its shape needs {}", stored, count);
  }
}

// Values kept raw or external, each element converted by `convert`.
template <class Stored, class Convert>
Tensor FromRaw(const std::string& where, const pb::TensorProto& proto, const Shape& shape,
               OnnxExternalData& external, Convert convert) {
  const int64_t count = shape.NumElements();
  std::string buffer;
  const std::string_view bytes = RawBytes(where, proto, count, external, buffer);
  Tensor tensor = Tensor::Uninitialized(shape);
  for (int64_t i = 0; i < count; ++i) tensor[i] = convert(Load<Stored>(bytes, i));
  return tensor;
}

// Values kept in one of the typed fields.
template <class Field, class Convert>
Tensor FromField(const std::string& where, const pb::TensorProto& proto, const Shape& shape,
                 const Field& field, Convert convert) {
  CheckCount(where, proto, field.size(), shape.NumElements());
  Tensor tensor = Tensor::Uninitialized(shape);
  for (int i = 0; i < field.size(); ++i) tensor[i] = convert(field.Get(i));
  return tensor;
}

struct ExternalEntry {
  std::string location;
  int64_t offset = 0;
  int64_t length = -1;
};

int64_t ParseSize(const std::string& where, const std::string& text) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    Fail(where, "external data offset or length \"{}\" is not a size", text);
  }
  return value;
}

ExternalEntry ParseExternal(const std::string& where, const pb::TensorProto& tensor) {
  ExternalEntry entry;
  for (const auto& item : tensor.external_data()) {
    if (item.key() == "location") entry.location = item.value();
    if (item.key() == "offset") entry.offset = ParseSize(where, item.value());
    if (item.key() == "length") entry.length = ParseSize(where, item.value());
  }
  return entry;
}

// The file inside `folder`; symbolic links are followed before the check.
std::filesystem::path ExternalPath(const std::string& where, const std::string& folder,
                                   const std::string& location) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path root = fs::weakly_canonical(folder.empty() ? "." : folder, error);
  const fs::path path = fs::weakly_canonical(root / location, error);
  const fs::path relative = path.lexically_relative(root);
  if (location.empty() || fs::path(location).is_absolute() || relative.empty() ||
      *relative.begin() == "..") {
    Fail(where, "external data \"{}\" lies outside the model's folder, which is refused", location);
  }
  if (!fs::is_regular_file(path, error)) {
    Fail(where, "external data file \"{}\" is missing beside the model", location);
  }
  return path;
}

}  // namespace

std::string OnnxExternalData::Read(const std::string& where, const pb::TensorProto& tensor,
                                   int64_t bytes) {
  const std::string in = Describe(where, tensor);
  if (!folder_) Fail(in, "keeps its data in another file, which a model in memory cannot have");
  const ExternalEntry entry = ParseExternal(in, tensor);
  const auto path = ExternalPath(in, *folder_, entry.location);
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (entry.length >= 0 && entry.length != bytes) {
    Fail(in, "external data of {} bytes, its shape needs {}", entry.length, bytes);
  }
  if (error || bytes > size || entry.offset > size - bytes) {
    Fail(in, "needs {} bytes at offset {} of \"{}\", which has {}", bytes, entry.offset,
         entry.location, size);
  }
  if (bytes > budget_) Fail(in, "external data exceeds the limit on the model's size");
  budget_ -= bytes;
  std::string data(static_cast<size_t>(bytes), '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(entry.offset);
  if (!file.read(data.data(), bytes)) Fail(in, "cannot read \"{}\"", entry.location);
  return data;
}

std::string_view OnnxTypeName(int data_type) {
  if (data_type < 0 || std::cmp_greater_equal(data_type, kTypeNames.size())) return "unknown";
  return kTypeNames[static_cast<size_t>(data_type)];
}

bool IsOnnxFloatType(int data_type) {
  return data_type == pb::TensorProto::FLOAT || data_type == pb::TensorProto::FLOAT16 ||
         data_type == pb::TensorProto::BFLOAT16 || data_type == pb::TensorProto::DOUBLE;
}

Tensor DecodeOnnxFloats(const std::string& where, const pb::TensorProto& tensor,
                        OnnxExternalData& external) {
  const Shape shape = CheckedShape(where, tensor);
  const auto same = [](float value) { return value; };
  const auto narrow = [&](double value) { return FromDouble(where, tensor, value); };
  const auto half = [](auto bits) { return FromHalf(static_cast<uint16_t>(bits)); };
  const auto brain = [](auto bits) { return FromBfloat16(static_cast<uint16_t>(bits)); };
  const bool raw = HasRawBytes(tensor);
  switch (tensor.data_type()) {
    case pb::TensorProto::FLOAT:
      return raw ? FromRaw<float>(where, tensor, shape, external, same)
                 : FromField(where, tensor, shape, tensor.float_data(), same);
    case pb::TensorProto::DOUBLE:
      return raw ? FromRaw<double>(where, tensor, shape, external, narrow)
                 : FromField(where, tensor, shape, tensor.double_data(), narrow);
    case pb::TensorProto::FLOAT16:
      return raw ? FromRaw<uint16_t>(where, tensor, shape, external, half)
                 : FromField(where, tensor, shape, tensor.int32_data(), half);
    case pb::TensorProto::BFLOAT16:
      return raw ? FromRaw<uint16_t>(where, tensor, shape, external, brain)
                 : FromField(where, tensor, shape, tensor.int32_data(), brain);
    default:
      Fail(Describe(where, tensor), "has type {}, expected float; quantised models are refused",
           OnnxTypeName(tensor.data_type()));
  }
}

std::vector<int64_t> DecodeOnnxInts(const std::string& where, const pb::TensorProto& tensor,
                                    OnnxExternalData& external) {
  const Shape shape = CheckedShape(where, tensor);
  const int64_t count = shape.NumElements();
  const int type = tensor.data_type();
  if (type != pb::TensorProto::INT64 && type != pb::TensorProto::INT32 &&
      type != pb::TensorProto::BOOL) {
    Fail(Describe(where, tensor), "has type {}, expected int64", OnnxTypeName(type));
  }
  if (shape.rank() > 1 || count > kMaxFoldedElements) {
    Fail(Describe(where, tensor), "has shape {}, expected a short list of integers",
         shape.ToString());
  }
  std::vector<int64_t> values;
  if (HasRawBytes(tensor)) {
    std::string buffer;
    const std::string_view bytes = RawBytes(where, tensor, count, external, buffer);
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(type == pb::TensorProto::INT64   ? Load<int64_t>(bytes, i)
                       : type == pb::TensorProto::INT32 ? Load<int32_t>(bytes, i)
                                                        : Load<uint8_t>(bytes, i));
    }
  } else if (type == pb::TensorProto::INT64) {
    values.assign(tensor.int64_data().begin(), tensor.int64_data().end());
  } else {
    values.assign(tensor.int32_data().begin(), tensor.int32_data().end());
  }
  CheckCount(where, tensor, static_cast<int64_t>(values.size()), count);
  return values;
}

}  // namespace sparsify
