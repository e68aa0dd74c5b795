#include "sparsity/io/hdf5_types.h"

#include <algorithm>
#include <array>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr std::array<std::string_view, 11> kTypeNames = {"float32", "float64", "int8",  "int16",
                                                         "int32",   "int64",   "uint8", "uint16",
                                                         "uint32",  "uint64",  "text"};

struct StoredType {
  hid_t little;
  hid_t big;
  Hdf5Type type;
};

std::array<StoredType, 10> NumericTypes() {
  return {{{H5T_IEEE_F32LE, H5T_IEEE_F32BE, Hdf5Type::kFloat32},
           {H5T_IEEE_F64LE, H5T_IEEE_F64BE, Hdf5Type::kFloat64},
           {H5T_STD_I8LE, H5T_STD_I8BE, Hdf5Type::kInt8},
           {H5T_STD_I16LE, H5T_STD_I16BE, Hdf5Type::kInt16},
           {H5T_STD_I32LE, H5T_STD_I32BE, Hdf5Type::kInt32},
           {H5T_STD_I64LE, H5T_STD_I64BE, Hdf5Type::kInt64},
           {H5T_STD_U8LE, H5T_STD_U8BE, Hdf5Type::kUint8},
           {H5T_STD_U16LE, H5T_STD_U16BE, Hdf5Type::kUint16},
           {H5T_STD_U32LE, H5T_STD_U32BE, Hdf5Type::kUint32},
           {H5T_STD_U64LE, H5T_STD_U64BE, Hdf5Type::kUint64}}};
}

std::string_view ClassName(H5T_class_t type_class) {
  constexpr std::array<std::string_view, 11> kNames = {
      "integer",  "float",     "time", "string",          "bit field", "opaque",
      "compound", "reference", "enum", "variable-length", "array"};
  const auto index = static_cast<size_t>(type_class);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace

std::string_view Hdf5TypeName(Hdf5Type type) { return kTypeNames.at(static_cast<size_t>(type)); }

namespace hdf5 {

Hdf5Type TypeOf(hid_t type, const std::string& where) {
  const H5T_class_t type_class = H5Tget_class(type);
  if (type_class == H5T_STRING) {
    if (H5Tis_variable_str(type) > 0) {
      Fail(where, "text of variable length; store fixed-length text (h5py: numpy.bytes_)");
    }
    return Hdf5Type::kText;
  }
  for (const StoredType& stored : NumericTypes()) {
    if (H5Tequal(type, stored.little) > 0 || H5Tequal(type, stored.big) > 0) return stored.type;
  }
  Fail(where, "element type {} of {} bytes; expected float32, float64, (u)int8 to 64 or text",
       ClassName(type_class), H5Tget_size(type));
}

Shape ShapeOf(hid_t space, const std::string& where) {
  if (H5Sget_simple_extent_type(space) == H5S_NULL) Fail(where, "has no data (null dataspace)");
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) FailCall(where, "read the shape");
  std::vector<hsize_t> dims(static_cast<size_t>(rank));
  Check(H5Sget_simple_extent_dims(space, dims.data(), nullptr), where, "read the shape");
  Shape shape(std::vector<int64_t>(dims.begin(), dims.end()));
  try {
    shape.NumElements();
  } catch (const Error&) {
    Fail(where, "declares the shape {}; damaged or hostile", shape.ToString());
  }
  return shape;
}

Id TextType(size_t width, const std::string& where) {
  Id type = Own(H5Tcopy(H5T_C_S1), H5Tclose, where, "make a text type");
  Check(H5Tset_size(type, width), where, "make a text type");
  Check(H5Tset_strpad(type, H5T_STR_NULLPAD), where, "make a text type");
  Check(H5Tset_cset(type, H5T_CSET_UTF8), where, "make a text type");
  return type;
}

PackedText::PackedText(const std::vector<std::string>& texts, const std::string& where) {
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) Fail(where, "text holds a NUL character");
    width = std::max(width, text.size());
  }
  bytes.resize(width * texts.size());
  auto out = bytes.begin();
  for (const std::string& text : texts) {
    std::copy(text.begin(), text.end(), out);
    out += static_cast<ptrdiff_t>(width);
  }
}

std::vector<std::string> UnpackText(const std::vector<char>& bytes, size_t width) {
  std::vector<std::string> texts;
  for (auto at = bytes.begin(); at != bytes.end(); at += static_cast<ptrdiff_t>(width)) {
    const auto end = at + static_cast<ptrdiff_t>(width);
    texts.emplace_back(at, std::find(at, end, '\0'));
  }
  return texts;
}

}  // namespace hdf5
}  // namespace sparsify
