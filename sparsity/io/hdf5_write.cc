// Arrays out: layout, chunking and filters of what the project writes.
#include <algorithm>
#include <limits>

#include "sparsity/base/error.h"
#include "sparsity/io/hdf5_file.h"
#include "sparsity/io/hdf5_handle.h"
#include "sparsity/io/hdf5_types.h"

namespace sparsify {
namespace {

using hdf5::Check;
using hdf5::Id;
using hdf5::Own;

constexpr int64_t kTargetChunkBytes = int64_t{1} << 20;
constexpr int64_t kSmallBytes = 1024;  // stored plain
constexpr unsigned kDeflateLevel = 4;

// Whole leading rows of about kTargetChunkBytes.
std::vector<hsize_t> ChunkOf(const std::vector<hsize_t>& dims, size_t element_bytes) {
  std::vector<hsize_t> chunk = dims;
  hsize_t left = static_cast<hsize_t>(kTargetChunkBytes) / element_bytes;
  for (size_t i = dims.size(); i-- > 0;) {
    chunk[i] = std::clamp<hsize_t>(left, 1, std::max<hsize_t>(1, dims[i]));
    left /= chunk[i];
  }
  return chunk;
}

struct NewArray {
  std::vector<hsize_t> dims;
  bool extendable = false;  // along the first dimension
  hid_t file_type;
  hid_t memory_type;
  bool deflated = true;
};

// Either way damage to what is stored is seen when it is read: zlib's streams have checksums.
void StoreInChunks(hid_t properties, const std::vector<hsize_t>& chunk, bool deflated,
                   const std::string& where) {
  const int rank = static_cast<int>(chunk.size());
  Check(H5Pset_chunk(properties, rank, chunk.data()), where, "set the chunk shape");
  if (!deflated) {
    Check(H5Pset_fletcher32(properties), where, "set the checksum");
    return;
  }
  Check(H5Pset_shuffle(properties), where, "set the shuffle filter");
  Check(H5Pset_deflate(properties, kDeflateLevel), where, "set the deflate filter");
}

Id MakeArray(hid_t file, const std::string& object, const NewArray& array,
             const std::string& where) {
  if (hdf5::Exists(file, object, where)) Fail(where, "written twice");
  hdf5::MakeGroups(file, hdf5::Parent(object), where);
  const Id properties = hdf5::DatasetProperties(where);
  hsize_t bytes = H5Tget_size(array.file_type);
  for (const hsize_t dim : array.dims) bytes *= dim;
  if (array.extendable) {
    std::vector<hsize_t> row = array.dims;
    row[0] = std::numeric_limits<hsize_t>::max();
    StoreInChunks(properties, ChunkOf(row, H5Tget_size(array.file_type)), array.deflated, where);
  } else if (bytes >= static_cast<hsize_t>(kSmallBytes) && !array.dims.empty()) {
    StoreInChunks(properties, ChunkOf(array.dims, H5Tget_size(array.file_type)), array.deflated,
                  where);
  } else if (bytes > 0 && bytes < static_cast<hsize_t>(kSmallBytes)) {
    Check(H5Pset_layout(properties, H5D_COMPACT), where, "set the layout");
  }
  std::vector<hsize_t> most = array.dims;
  if (array.extendable) most[0] = H5S_UNLIMITED;
  const Id space = array.dims.empty() ? Own(H5Screate(H5S_SCALAR), H5Sclose, where, "set the shape")
                                      : Own(H5Screate_simple(static_cast<int>(array.dims.size()),
                                                             array.dims.data(), most.data()),
                                            H5Sclose, where, "set the shape");
  const Id link = Own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, where, "set properties");
  Check(H5Pset_char_encoding(link, H5T_CSET_UTF8), where, "set properties");
  return Own(
      H5Dcreate2(file, object.c_str(), array.file_type, space, link, properties, H5P_DEFAULT),
      H5Dclose, where, "make the array");
}

void WriteArray(hid_t file, const std::string& object, const NewArray& array, const void* data,
                const std::string& where) {
  const Id id = MakeArray(file, object, array, where);
  if (std::find(array.dims.begin(), array.dims.end(), 0U) != array.dims.end()) return;
  Check(H5Dwrite(id, array.memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), where, "write");
}

std::vector<hsize_t> DimsOf(const Shape& shape, size_t values, const std::string& where) {
  if (shape.NumElements() != static_cast<int64_t>(values)) {
    Fail(where, "{} values given for the shape {}", values, shape.ToString());
  }
  return {shape.dims().begin(), shape.dims().end()};
}

}  // namespace

void Hdf5File::WriteFloats(const std::string& object, const Shape& shape,
                           std::span<const float> values) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const auto dims = DimsOf(shape, values.size(), Where(object));
  WriteArray(id_, object, {dims, false, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, deflates_}, values.data(),
             Where(object));
}

void Hdf5File::WriteDoubles(const std::string& object, const Shape& shape,
                            std::span<const double> values) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const auto dims = DimsOf(shape, values.size(), Where(object));
  WriteArray(id_, object, {dims, false, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, deflates_},
             values.data(), Where(object));
}

void Hdf5File::WriteInts(const std::string& object, const Shape& shape,
                         std::span<const int64_t> values) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const auto dims = DimsOf(shape, values.size(), Where(object));
  WriteArray(id_, object, {dims, false, H5T_STD_I64LE, H5T_NATIVE_INT64, deflates_}, values.data(),
             Where(object));
}

void Hdf5File::WriteBytes(const std::string& object, const Shape& shape,
                          std::span<const uint8_t> values) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const auto dims = DimsOf(shape, values.size(), Where(object));
  WriteArray(id_, object, {dims, false, H5T_STD_U8LE, H5T_NATIVE_UINT8, deflates_}, values.data(),
             Where(object));
}

void Hdf5File::WriteStrings(const std::string& object, const std::vector<std::string>& values) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const hdf5::PackedText text(values, Where(object));
  const Id type = hdf5::TextType(text.width, Where(object));
  WriteArray(id_, object, {{values.size()}, false, type, type}, text.bytes.data(), Where(object));
}

void Hdf5File::WriteString(const std::string& object, const std::string& value) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const hdf5::PackedText text({value}, Where(object));
  const Id type = hdf5::TextType(text.width, Where(object));
  WriteArray(id_, object, {{}, false, type, type}, text.bytes.data(), Where(object));
}

void Hdf5File::CreateFloats(const std::string& object, const Shape& row) {
  const hdf5::Lock lock;
  RequireWritable(object);
  std::vector<hsize_t> dims(row.dims().begin(), row.dims().end());
  dims.insert(dims.begin(), 0);
  MakeArray(id_, object, {dims, true, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, deflates_}, Where(object));
}

void Hdf5File::AppendFloats(const std::string& object, std::span<const float> values) {
  const hdf5::Lock lock;
  RequireWritable(object);
  const std::string where = Where(object);
  const Id id = hdf5::OpenObject(id_, object, where);
  const Id space = Own(H5Dget_space(id), H5Sclose, where, "read the shape");
  const Shape shape = hdf5::ShapeOf(space, where);
  std::vector<hsize_t> dims(shape.dims().begin(), shape.dims().end());
  std::vector<hsize_t> start(dims.size(), 0);
  std::vector<hsize_t> extent = dims;
  extent[0] = 1;
  hsize_t row = 1;
  for (const hsize_t dim : extent) row *= dim;
  if (row == 0 || values.size() % row != 0) {
    Fail(where, "{} values are no whole number of rows of {}", values.size(), row);
  }
  start[0] = dims[0];
  extent[0] = values.size() / row;
  dims[0] += extent[0];
  Check(H5Dset_extent(id, dims.data()), where, "lengthen");
  const Id grown = Own(H5Dget_space(id), H5Sclose, where, "read the shape");
  Check(H5Sselect_hyperslab(grown, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr),
        where, "select rows");
  const hsize_t count = values.size();
  const Id memory = Own(H5Screate_simple(1, &count, nullptr), H5Sclose, where, "append");
  Check(H5Dwrite(id, H5T_NATIVE_FLOAT, memory, grown, H5P_DEFAULT, values.data()), where, "append");
}

}  // namespace sparsify
