// libFuzzer target: LoadCheckpoint on any input ends in a checkpoint or an Error.
//
// The first byte chooses what the rest means:
//   even: the HDF5 content of a file; a right seal is put in front, so that libhdf5 and the
//         readers behind it are reached;
//   odd:  a list of edits (delete, replace an attribute, replace an array, relink, change a byte
//         of an array) that libhdf5 applies to a good checkpoint, which is then sealed. These
//         files are sound HDF5, so that only this program's own checks stand in the way.
#include <hdf5.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/io/checkpoint.h"
#include "tests/io/sample_checkpoint.h"

namespace sparsify {
namespace {

constexpr size_t kSeal = 512;

// A path of this process's own below TMPDIR (best a file system in memory); libhdf5 opens no
// nameless files. Removed at once when the scope ends.
class ScratchFile {
 public:
  explicit ScratchFile(const std::vector<char>& bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("sparsify-fuzz-" + std::to_string(getpid()) + ".h5")) {
    WriteBytes(path_, bytes);
  }
  ~ScratchFile() { std::filesystem::remove(path_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

uint32_t Crc(const char* bytes, size_t count) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(bytes), count));
}

void Seal(std::vector<char>& bytes) {
  std::fill_n(bytes.begin(), kSeal, '\0');
  const uint32_t major = 1;
  const uint64_t size = bytes.size();
  const uint32_t content = Crc(&bytes[kSeal], bytes.size() - kSeal);
  std::memcpy(&bytes[0], "SPARSIFY", 8);
  std::memcpy(&bytes[8], &major, 4);
  std::memcpy(&bytes[16], &size, 8);
  std::memcpy(&bytes[24], &content, 4);
  const uint32_t header = Crc(&bytes[0], 28);
  std::memcpy(&bytes[28], &header, 4);
}

const std::vector<char>& GoodCheckpoint() {
  static const std::vector<char> bytes = [] {
    const ScratchFile file({});
    SaveCheckpoint(SampleCheckpoint(), file.path());
    return FileBytes(file.path());
  }();
  return bytes;
}

// The input, taken piece by piece; zeros after its end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool done() const { return left_ == 0; }
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  uint64_t Number() {  // small, medium or any
    const uint8_t kind = Byte();
    uint64_t value = Byte();
    for (int i = 0; i < (kind & 7); ++i) value = value << 8 | Byte();
    return value;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

constexpr const char* kObjects[] = {"/",
                                    "/graph",
                                    "/graph/values",
                                    "/graph/is_parameter",
                                    "/graph/nodes",
                                    "/graph/nodes/0000",
                                    "/graph/nodes/0001",
                                    "/graph/nodes/0002",
                                    "/graph/nodes/0003",
                                    "/graph/inputs",
                                    "/graph/inputs/0000",
                                    "/graph/outputs",
                                    "/graph/outputs/0000",
                                    "/graph/outputs/0001",
                                    "/weights",
                                    "/weights/conv1.weight",
                                    "/weights/large",
                                    "/weights/none",
                                    "/weights/%2E%2E",
                                    "/masks",
                                    "/masks/conv1.weight",
                                    "/masks/large",
                                    "/layers",
                                    "/layers/name",
                                    "/layers/requested",
                                    "/layers/achieved",
                                    "/layers/elements",
                                    "/layers/zeros",
                                    "/layers/skipped",
                                    "/configuration",
                                    "/metrics",
                                    "/history",
                                    "/history/time",
                                    "/history/version",
                                    "/history/action"};
constexpr const char* kAttributes[] = {"name",
                                       "op",
                                       "inputs",
                                       "outputs",
                                       "value",
                                       "shape",
                                       "crc32",
                                       "format",
                                       "version_major",
                                       "requested_sparsity",
                                       "achieved_sparsity",
                                       "attr.x",
                                       "attr.max",
                                       "top1"};

template <size_t N>
const char* Choose(Input& input, const char* const (&names)[N]) {
  return names[input.Byte() % N];
}

hid_t AnyType(Input& input) {
  const hid_t types[] = {H5T_STD_I64LE, H5T_IEEE_F64LE,  H5T_IEEE_F32LE, H5T_STD_U8LE,
                         H5T_STD_U64BE, H5T_STD_REF_OBJ, H5T_NATIVE_B8,  H5T_C_S1};
  const uint8_t kind = input.Byte();
  const hid_t type = H5Tcopy(types[kind % 8]);
  if (kind % 8 == 7) H5Tset_size(type, kind >= 248 ? H5T_VARIABLE : 1 + input.Number() % 4096);
  return type;
}

hid_t AnySpace(Input& input) {
  const uint8_t rank = input.Byte() % 6;
  if (rank == 0) return H5Screate(H5S_SCALAR);
  if (rank == 5) return H5Screate(H5S_NULL);
  std::vector<hsize_t> dims(rank);
  for (hsize_t& dim : dims) dim = input.Number();
  return H5Screate_simple(rank, dims.data(), nullptr);
}

// Elements for a small type and space; empty when writing is not possible or too large.
std::vector<uint8_t> AnyElements(Input& input, hid_t type, hid_t space) {
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  const size_t width = H5Tget_size(type);
  if (points <= 0 || H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_REFERENCE ||
      static_cast<uint64_t>(points) > 65536 / width) {
    return {};
  }
  std::vector<uint8_t> elements(static_cast<size_t>(points) * width);
  for (size_t i = 0; i < elements.size() && !input.done(); ++i) elements[i] = input.Byte();
  return elements;
}

// An attribute's elements are stored at once, so that libhdf5 asks for the memory.
bool FitsAnAttribute(hid_t type, hid_t space) {
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  return points >= 0 && static_cast<uint64_t>(points) <= (uint64_t{1} << 20) / H5Tget_size(type);
}

void PutAttribute(hid_t file, Input& input) {
  const hid_t object = H5Oopen(file, Choose(input, kObjects), H5P_DEFAULT);
  const char* name = Choose(input, kAttributes);
  H5Adelete(object, name);
  const hid_t type = AnyType(input);
  const hid_t space = AnySpace(input);
  const hid_t attribute = FitsAnAttribute(type, space)
                              ? H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT)
                              : H5I_INVALID_HID;
  const std::vector<uint8_t> elements = AnyElements(input, type, space);
  if (!elements.empty()) H5Awrite(attribute, type, elements.data());
  for (const hid_t id : {attribute, space, type, object}) {
    if (id >= 0) H5Idec_ref(id);
  }
}

void PutArray(hid_t file, Input& input) {
  const char* name = Choose(input, kObjects);
  const hid_t type = AnyType(input);
  const hid_t space = AnySpace(input);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  const uint8_t layout = input.Byte();
  const int rank = H5Sget_simple_extent_ndims(space);
  if ((layout & 1) != 0 && rank > 0) {
    std::vector<hsize_t> chunk(static_cast<size_t>(rank));
    for (hsize_t& dim : chunk) dim = 1 + input.Number() % 65536;
    H5Pset_chunk(properties, rank, chunk.data());
    if ((layout & 2) != 0) H5Pset_deflate(properties, 1);
    if ((layout & 4) != 0) H5Pset_shuffle(properties);
    if ((layout & 8) != 0) H5Pset_deflate(properties, 9);
    if ((layout & 16) != 0) H5Pset_filter(properties, 300, H5Z_FLAG_OPTIONAL, 0, nullptr);
  }
  H5Ldelete(file, name, H5P_DEFAULT);
  const hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  const std::vector<uint8_t> elements = AnyElements(input, type, space);
  if (array >= 0 && !elements.empty()) {
    H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements.data());
    const hid_t scalar = H5Screate(H5S_SCALAR);
    const hid_t crc = H5Acreate2(array, "crc32", H5T_STD_I64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
    const int64_t value = Crc(reinterpret_cast<const char*>(elements.data()), elements.size());
    H5Awrite(crc, H5T_NATIVE_INT64, &value);
    H5Aclose(crc);
    H5Sclose(scalar);
  }
  for (const hid_t id : {array, properties, space, type}) {
    if (id >= 0) H5Idec_ref(id);
  }
}

void Relink(hid_t file, Input& input) {
  const char* from = Choose(input, kObjects);
  const char* to = Choose(input, kObjects);
  const uint8_t kind = input.Byte() % 4;
  H5Ldelete(file, from, H5P_DEFAULT);
  if (kind == 0) H5Lcreate_hard(file, to, file, from, H5P_DEFAULT, H5P_DEFAULT);
  if (kind == 1) H5Lcreate_soft(to, file, from, H5P_DEFAULT, H5P_DEFAULT);
  if (kind == 2) H5Lcreate_external("/dev/zero", to, file, from, H5P_DEFAULT, H5P_DEFAULT);
}

std::vector<char> Edited(Input input) {
  const ScratchFile scratch(GoodCheckpoint());
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  const hid_t file = H5Fopen(scratch.path().c_str(), H5F_ACC_RDWR, access);
  if (file < 0) {
    H5Eprint2(H5E_DEFAULT, stderr);
    std::abort();
  }
  for (int edits = 0; edits < 8 && !input.done(); ++edits) {
    const uint8_t kind = input.Byte() % 4;
    if (kind == 0) PutAttribute(file, input);
    if (kind == 1) PutArray(file, input);
    if (kind == 2) Relink(file, input);
    if (kind == 3) H5Ldelete(file, Choose(input, kObjects), H5P_DEFAULT);
  }
  if (H5Fclose(file) < 0) {
    H5Eprint2(H5E_DEFAULT, stderr);
    std::abort();
  }
  H5Pclose(access);
  return FileBytes(scratch.path());
}

void Load(const std::vector<char>& bytes) {
  const ScratchFile scratch(bytes);
  try {
    const Checkpoint checkpoint = LoadCheckpoint(scratch.path());
    if (checkpoint.graph.values().size() > bytes.size()) std::abort();
  } catch (const Error&) {
    // What is expected of most inputs.
  }
  for (const H5I_type_t type : {H5I_FILE, H5I_GROUP, H5I_DATASPACE, H5I_DATASET, H5I_ATTR}) {
    hsize_t open = 0;
    if (H5Inmembers(type, &open) >= 0 && open > 0) std::abort();
  }
}

}  // namespace
}  // namespace sparsify

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  if (size < 2) return 0;
  std::vector<char> bytes;
  if (data[0] % 2 == 0) {
    bytes.assign(sparsify::kSeal, '\0');
    bytes.insert(bytes.end(), data + 1, data + size);
  } else {
    bytes = sparsify::Edited({data + 1, size - 1});
  }
  sparsify::Seal(bytes);
  sparsify::Load(bytes);
  return 0;
}
