// Arrays in: the checks before a hostile array is trusted, rows, whole texts, checksums.
#include <zlib.h>

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

constexpr int64_t kMaxDeflateRatio = 1032;  // deflate: 258 bytes from two bits
constexpr int64_t kMaxChunkBytes = int64_t{1} << 30;
constexpr int64_t kMaxTextBytes = int64_t{1} << 28;
constexpr int64_t kCrcStepBytes = int64_t{8} << 20;

// An array that passed every check.
struct Checked {
  Id id;
  Id type;
  Id space;
  Hdf5Dataset info;
  int64_t row_elements = 1;
  int64_t rows = 1;
};

// Each filter at most once, so that the ratio stays bounded. Returns whether it deflates.
bool CheckFilters(hid_t properties, const std::string& where) {
  const int count = H5Pget_nfilters(properties);
  if (count < 0) hdf5::FailCall(where, "read the filters");
  std::vector<H5Z_filter_t> seen;
  for (int i = 0; i < count; ++i) {
    size_t values = 0;
    char name[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), nullptr,
                                               &values, nullptr, sizeof(name), name, nullptr);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
        filter != H5Z_FILTER_FLETCHER32) {
      Fail(where, "filter {} ({}) is not supported; use deflate (gzip), shuffle, fletcher32",
           filter, name);
    }
    if (std::find(seen.begin(), seen.end(), filter) != seen.end()) {
      Fail(where, "filter {} ({}) is applied twice; damaged or hostile", filter, name);
    }
    seen.push_back(filter);
  }
  return std::find(seen.begin(), seen.end(), H5Z_FILTER_DEFLATE) != seen.end();
}

void CheckChunk(hid_t properties, const Hdf5Dataset& info, const std::string& where) {
  std::vector<hsize_t> chunk(static_cast<size_t>(std::max(1, info.shape.rank())));
  const int rank = H5Pget_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
  if (rank != info.shape.rank()) {
    Fail(where, "has chunks of rank {} for a shape of rank {}; damaged or hostile", rank,
         info.shape.rank());
  }
  hsize_t left = static_cast<hsize_t>(kMaxChunkBytes / std::max<int64_t>(1, info.element_bytes));
  for (const hsize_t dim : chunk) {
    if (dim == 0 || dim > left) Fail(where, "has chunks of more than 1 GiB; use smaller chunks");
    left /= dim;
  }
}

void CheckStorage(hid_t id, const Hdf5Dataset& info, int64_t file_bytes, const std::string& where) {
  if (info.type == Hdf5Type::kText &&
      info.shape.NumElements() > kMaxTextBytes / info.element_bytes) {
    Fail(where, "declares {} texts of {} bytes; more than 256 MiB of text is refused",
         info.shape.NumElements(), info.element_bytes);
  }
  const Id properties = Own(H5Dget_create_plist(id), H5Pclose, where, "read the layout");
  const H5D_layout_t layout = H5Pget_layout(properties);
  if (layout == H5D_VIRTUAL) Fail(where, "is a virtual dataset, which is not followed");
  if (H5Pget_external_count(properties) != 0) {
    Fail(where, "keeps its data in external files, which are not followed");
  }
  const bool deflated = CheckFilters(properties, where);
  if (layout == H5D_CHUNKED) CheckChunk(properties, info, where);
  const int64_t elements = info.shape.NumElements();
  const int64_t stored = std::min(info.stored_bytes, file_bytes);
  const int64_t most = deflated && stored < std::numeric_limits<int64_t>::max() / kMaxDeflateRatio
                           ? stored * kMaxDeflateRatio
                           : stored;
  if (elements > 0 && elements > most / info.element_bytes) {
    Fail(where, "declares {} of {} but stores {} bytes in a file of {}; incomplete or hostile",
         info.shape.ToString(), Hdf5TypeName(info.type), info.stored_bytes, file_bytes);
  }
}

Checked OpenChecked(hid_t file, const std::string& object, int64_t file_bytes,
                    const std::string& where) {
  Checked dataset;
  dataset.id = hdf5::OpenObject(file, object, where);
  if (H5Iget_type(dataset.id) != H5I_DATASET) Fail(where, "is not a dataset");
  dataset.type = Own(H5Dget_type(dataset.id), H5Tclose, where, "read the type");
  dataset.space = Own(H5Dget_space(dataset.id), H5Sclose, where, "read the shape");
  Hdf5Dataset& info = dataset.info;
  info.type = hdf5::TypeOf(dataset.type, where);
  info.shape = hdf5::ShapeOf(dataset.space, where);
  info.element_bytes = static_cast<int64_t>(H5Tget_size(dataset.type));
  info.stored_bytes = static_cast<int64_t>(H5Dget_storage_size(dataset.id));
  if (info.shape.rank() > 0) dataset.rows = info.shape[0];
  if (dataset.rows > 0) dataset.row_elements = info.shape.NumElements() / dataset.rows;
  CheckStorage(dataset.id, info, file_bytes, where);
  return dataset;
}

void ReadRows(const Checked& dataset, int64_t offset, int64_t count, hid_t memory_type, void* out,
              size_t out_elements, const std::string& where) {
  if (offset < 0 || count < 0 || offset > dataset.rows - count) {
    Fail(where, "rows {} to {} asked of {}", offset, offset + count, dataset.rows);
  }
  if (static_cast<int64_t>(out_elements) != count * dataset.row_elements) {
    Fail(where, "{} rows of {} have {} elements; the buffer has {}", count,
         dataset.info.shape.ToString(), count * dataset.row_elements, out_elements);
  }
  if (out_elements == 0) return;
  const hsize_t elements = out_elements;
  const Id memory = Own(H5Screate_simple(1, &elements, nullptr), H5Sclose, where, "read");
  const Id selection = Own(H5Scopy(dataset.space), H5Sclose, where, "read");
  if (dataset.info.shape.rank() > 0) {
    std::vector<hsize_t> start(dataset.info.shape.dims().size(), 0);
    std::vector<hsize_t> extent(dataset.info.shape.dims().begin(), dataset.info.shape.dims().end());
    start[0] = static_cast<hsize_t>(offset);
    extent[0] = static_cast<hsize_t>(count);
    Check(H5Sselect_hyperslab(selection, H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                              nullptr),
          where, "select rows");
  }
  Check(H5Dread(dataset.id, memory_type, memory, selection, H5P_DEFAULT, out), where, "read");
}

bool IsInteger(Hdf5Type type) {
  return type != Hdf5Type::kFloat32 && type != Hdf5Type::kFloat64 && type != Hdf5Type::kText;
}

void RequireKind(bool ok, const Checked& dataset, std::string_view expected,
                 const std::string& where) {
  if (!ok) Fail(where, "holds {}, expected {}", Hdf5TypeName(dataset.info.type), expected);
}

}  // namespace

Hdf5Dataset Hdf5File::Info(const std::string& object) const {
  const hdf5::Lock lock;
  return OpenChecked(id_, object, file_bytes_, Where(object)).info;
}

void Hdf5File::ReadFloats(const std::string& object, int64_t offset, int64_t count,
                          std::span<float> out) const {
  const hdf5::Lock lock;
  const Checked dataset = OpenChecked(id_, object, file_bytes_, Where(object));
  RequireKind(dataset.info.type != Hdf5Type::kText, dataset, "numbers", Where(object));
  ReadRows(dataset, offset, count, H5T_NATIVE_FLOAT, out.data(), out.size(), Where(object));
}

void Hdf5File::ReadDoubles(const std::string& object, int64_t offset, int64_t count,
                           std::span<double> out) const {
  const hdf5::Lock lock;
  const Checked dataset = OpenChecked(id_, object, file_bytes_, Where(object));
  RequireKind(dataset.info.type != Hdf5Type::kText, dataset, "numbers", Where(object));
  ReadRows(dataset, offset, count, H5T_NATIVE_DOUBLE, out.data(), out.size(), Where(object));
}

void Hdf5File::ReadInts(const std::string& object, int64_t offset, int64_t count,
                        std::span<int64_t> out) const {
  const hdf5::Lock lock;
  const Checked dataset = OpenChecked(id_, object, file_bytes_, Where(object));
  RequireKind(IsInteger(dataset.info.type), dataset, "integers", Where(object));
  ReadRows(dataset, offset, count, H5T_NATIVE_INT64, out.data(), out.size(), Where(object));
}

void Hdf5File::ReadBytes(const std::string& object, int64_t offset, int64_t count,
                         std::span<uint8_t> out) const {
  const hdf5::Lock lock;
  const Checked dataset = OpenChecked(id_, object, file_bytes_, Where(object));
  RequireKind(dataset.info.type == Hdf5Type::kUint8, dataset, "uint8", Where(object));
  ReadRows(dataset, offset, count, H5T_NATIVE_UINT8, out.data(), out.size(), Where(object));
}

std::vector<std::string> Hdf5File::ReadStrings(const std::string& object) const {
  const hdf5::Lock lock;
  const Checked dataset = OpenChecked(id_, object, file_bytes_, Where(object));
  RequireKind(dataset.info.type == Hdf5Type::kText, dataset, "text", Where(object));
  if (dataset.info.shape.rank() > 1) {
    Fail(Where(object), "has the shape {}, expected a list", dataset.info.shape.ToString());
  }
  const auto width = static_cast<size_t>(dataset.info.element_bytes);
  std::vector<char> bytes(static_cast<size_t>(dataset.rows) * width);
  ReadRows(dataset, 0, dataset.rows, dataset.type, bytes.data(), bytes.size() / width,
           Where(object));
  return hdf5::UnpackText(bytes, width);
}

std::string Hdf5File::ReadString(const std::string& object) const {
  if (Info(object).shape.rank() != 0) {
    Fail(Where(object), "has the shape {}, expected a scalar", Dims(object).ToString());
  }
  return ReadStrings(object).front();
}

uint32_t Hdf5File::Crc32(const std::string& object) const {
  const hdf5::Lock lock;
  const Checked dataset = OpenChecked(id_, object, file_bytes_, Where(object));
  const int64_t row_bytes = dataset.row_elements * dataset.info.element_bytes;
  const int64_t step = std::max<int64_t>(1, kCrcStepBytes / std::max<int64_t>(1, row_bytes));
  uLong crc = crc32(0, nullptr, 0);
  std::vector<unsigned char> bytes;
  for (int64_t row = 0; row < dataset.rows && row_bytes > 0; row += step) {
    const int64_t count = std::min(step, dataset.rows - row);
    bytes.resize(static_cast<size_t>(count * row_bytes));
    ReadRows(dataset, row, count, dataset.type, bytes.data(),
             static_cast<size_t>(count * dataset.row_elements), Where(object));
    crc = crc32_z(crc, bytes.data(), bytes.size());
  }
  return static_cast<uint32_t>(crc);
}

}  // namespace sparsify
