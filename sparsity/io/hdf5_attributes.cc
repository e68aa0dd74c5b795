// Attributes of an object, and the text types that arrays and attributes share.
#include <cstring>

#include "sparsity/base/error.h"
#include "sparsity/io/hdf5_file.h"
#include "sparsity/io/hdf5_handle.h"
#include "sparsity/io/hdf5_types.h"

namespace sparsify {
namespace {

using hdf5::Check;
using hdf5::Id;
using hdf5::Own;

constexpr std::string_view kWhat = "write the attribute";

void WriteAttribute(hid_t object, const std::string& name, hid_t space, hid_t file_type,
                    hid_t memory_type, const void* data, const std::string& where) {
  const Id properties = Own(H5Pcreate(H5P_ATTRIBUTE_CREATE), H5Pclose, where, kWhat);
  Check(H5Pset_char_encoding(properties, H5T_CSET_UTF8), where, kWhat);
  const Id attribute =
      Own(H5Acreate2(object, name.c_str(), file_type, space, properties, H5P_DEFAULT), H5Aclose,
          where, kWhat);
  if (data != nullptr) Check(H5Awrite(attribute, memory_type, data), where, kWhat);
}

Id Scalar(const std::string& where) { return Own(H5Screate(H5S_SCALAR), H5Sclose, where, kWhat); }

Id List(size_t count, const std::string& where) {
  const hsize_t dims = count;
  return Own(H5Screate_simple(1, &dims, nullptr), H5Sclose, where, kWhat);
}

std::string OfAttribute(const std::string& object_where, const std::string& name) {
  return fmt::format("{} attribute \"{}\"", object_where, name);
}

// One overload a kind of Hdf5Attribute.
struct Writer {
  hid_t object;
  const std::string& name;
  const std::string& where;

  void operator()(int64_t value) const {
    WriteAttribute(object, name, Scalar(where), H5T_STD_I64LE, H5T_NATIVE_INT64, &value, where);
  }
  void operator()(double value) const {
    WriteAttribute(object, name, Scalar(where), H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, where);
  }
  void operator()(const std::string& value) const {
    const hdf5::PackedText text({value}, where);
    const Id type = hdf5::TextType(text.width, where);
    WriteAttribute(object, name, Scalar(where), type, type, text.bytes.data(), where);
  }
  void operator()(const std::vector<int64_t>& values) const {
    WriteAttribute(object, name, List(values.size(), where), H5T_STD_I64LE, H5T_NATIVE_INT64,
                   values.data(), where);
  }
  void operator()(const std::vector<double>& values) const {
    WriteAttribute(object, name, List(values.size(), where), H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE,
                   values.data(), where);
  }
  void operator()(const std::vector<std::string>& values) const {
    const hdf5::PackedText text(values, where);
    const Id type = hdf5::TextType(text.width, where);
    WriteAttribute(object, name, List(values.size(), where), type, type, text.bytes.data(), where);
  }
};

template <class T>
std::vector<T> ReadNumbers(hid_t attribute, hid_t memory_type, size_t count,
                           const std::string& where) {
  std::vector<T> values(count);
  if (count > 0) Check(H5Aread(attribute, memory_type, values.data()), where, "read");
  return values;
}

std::vector<std::string> ReadText(hid_t attribute, hid_t type, size_t count,
                                  const std::string& where) {
  const size_t width = H5Tget_size(type);
  std::vector<char> bytes(count * width);
  if (count > 0) Check(H5Aread(attribute, type, bytes.data()), where, "read");
  return hdf5::UnpackText(bytes, width);
}

// A list, or its only element when the attribute is a scalar.
template <class T>
Hdf5Attribute ListOrScalar(std::vector<T> values, bool scalar) {
  if (scalar) return std::move(values.at(0));
  return values;
}

Hdf5Attribute ReadAttribute(hid_t object, const std::string& name, int64_t file_bytes,
                            const std::string& where) {
  const Id attribute = Own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, where, "open");
  const Id type = Own(H5Aget_type(attribute), H5Tclose, where, "read the type of");
  const Id space = Own(H5Aget_space(attribute), H5Sclose, where, "read the shape of");
  const Shape shape = hdf5::ShapeOf(space, where);
  if (shape.rank() > 1) Fail(where, "has {} dimensions, expected a scalar or a list", shape.rank());
  const Hdf5Type kind = hdf5::TypeOf(type, where);
  const int64_t count = shape.NumElements();
  const auto width = static_cast<int64_t>(H5Tget_size(type));
  if (count > file_bytes / width) {
    Fail(where, "declares {} elements of {} bytes in a file of {} bytes; damaged or hostile", count,
         width, file_bytes);
  }
  const auto elements = static_cast<size_t>(count);
  const bool scalar = shape.rank() == 0;
  switch (kind) {
    case Hdf5Type::kText:
      return ListOrScalar(ReadText(attribute, type, elements, where), scalar);
    case Hdf5Type::kFloat32:
    case Hdf5Type::kFloat64:
      return ListOrScalar(ReadNumbers<double>(attribute, H5T_NATIVE_DOUBLE, elements, where),
                          scalar);
    default:
      return ListOrScalar(ReadNumbers<int64_t>(attribute, H5T_NATIVE_INT64, elements, where),
                          scalar);
  }
}

}  // namespace

bool Hdf5File::HasAttribute(const std::string& object, const std::string& name) const {
  const hdf5::Lock lock;
  const Id id = hdf5::OpenObject(id_, object, Where(object));
  const htri_t found = H5Aexists(id, name.c_str());
  if (found < 0) hdf5::FailCall(Where(object), "look up the attribute " + name);
  return found > 0;
}

Hdf5Attribute Hdf5File::GetAttribute(const std::string& object, const std::string& name) const {
  const hdf5::Lock lock;
  if (!HasAttribute(object, name)) Fail(Where(object), "attribute \"{}\" is missing", name);
  const Id id = hdf5::OpenObject(id_, object, Where(object));
  return ReadAttribute(id, name, file_bytes_, OfAttribute(Where(object), name));
}

std::map<std::string, Hdf5Attribute> Hdf5File::GetAttributes(const std::string& object) const {
  const hdf5::Lock lock;
  const Id id = hdf5::OpenObject(id_, object, Where(object));
  std::vector<std::string> names;
  const auto take = [](hid_t, const char* name, const H5A_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  hsize_t position = 0;
  Check(H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_NATIVE, &position, take, &names), Where(object),
        "list the attributes");
  std::map<std::string, Hdf5Attribute> attributes;
  for (const std::string& name : names) {
    attributes.emplace(name,
                       ReadAttribute(id, name, file_bytes_, OfAttribute(Where(object), name)));
  }
  return attributes;
}

void Hdf5File::SetAttribute(const std::string& object, const std::string& name,
                            const Hdf5Attribute& value) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const Id id = hdf5::OpenObject(id_, object, Where(object));
  std::visit(Writer{id, name, OfAttribute(Where(object), name)}, value);
}

}  // namespace sparsify
