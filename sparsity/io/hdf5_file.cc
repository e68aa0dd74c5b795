#include "sparsity/io/hdf5_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/io/hdf5_handle.h"

namespace sparsify {
namespace {

constexpr std::array<char, 8> kSignature = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
constexpr size_t kEndOfFileField = 28;            // in a superblock of version 2
constexpr size_t kGrowthBytes = size_t{1} << 20;  // of the memory a new file is built in

// The format allows the superblock at 0, 512, 1024, 2048, …
bool HasSignature(const std::string& path, int64_t file_bytes) {
  std::ifstream file(path, std::ios::binary);
  for (int64_t at = 0; at + 8 <= file_bytes; at = at == 0 ? 512 : at * 2) {
    std::array<char, 8> bytes{};
    if (!file.seekg(at).read(bytes.data(), bytes.size())) return false;
    if (bytes == kSignature) return true;
  }
  return false;
}

// The oldest file format in which all structure carries checksums.
void UseChecksummedFormat(hid_t access, const std::string& path) {
  hdf5::Check(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18), path, "set properties");
  hdf5::Check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), path, "set properties");
}

hdf5::Id AccessProperties(const std::string& path) {
  return hdf5::Own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, path, "set properties");
}

}  // namespace

Hdf5File::Hdf5File(std::string path, int64_t id, int64_t file_bytes, bool writable)
    : path_(std::move(path)), id_(id), file_bytes_(file_bytes), writable_(writable) {}

Hdf5File Hdf5File::Open(const std::string& path) {
  const int64_t file_bytes = FileSize(path);
  if (!HasSignature(path, file_bytes)) {
    Fail(path, "not an HDF5 file: no HDF5 signature in its {} bytes", file_bytes);
  }
  const hdf5::Lock lock;
  const hdf5::Id access = AccessProperties(path);
  hdf5::Check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), path, "set properties");
  hdf5::Check(H5Pset_file_locking(access, true, true), path, "set properties");
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  if (id < 0) Fail(path, "cannot open as HDF5: {}; damaged or cut short", hdf5::Reason());
  return {path, id, file_bytes, false};
}

Hdf5File Hdf5File::Create(const std::string& path, int64_t user_block_bytes) {
  const hdf5::Lock lock;
  const hdf5::Id create = hdf5::Own(H5Pcreate(H5P_FILE_CREATE), H5Pclose, path, "set properties");
  hdf5::Check(H5Pset_userblock(create, static_cast<hsize_t>(user_block_bytes)), path,
              "reserve the user block");
  hdf5::Check(H5Pset_obj_track_times(create, false), path, "set properties");
  const hdf5::Id access = AccessProperties(path);
  UseChecksummedFormat(access, path);
  hdf5::Check(H5Pset_fapl_core(access, kGrowthBytes, false), path, "set properties");
  // Without backing store the name is only that of a file in memory, and must be its own.
  static int64_t made = 0;
  const std::string name = fmt::format("in memory {}", ++made);
  const hid_t id = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, create, access);
  if (id < 0) hdf5::FailCall(path, "start an HDF5 file in memory");
  return {path, id, std::numeric_limits<int64_t>::max(), true};
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_(std::move(other.path_)),
      id_(std::exchange(other.id_, -1)),
      file_bytes_(other.file_bytes_),
      writable_(other.writable_),
      deflates_(other.deflates_) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(id_, other.id_);
  std::swap(file_bytes_, other.file_bytes_);
  std::swap(writable_, other.writable_);
  std::swap(deflates_, other.deflates_);
  return *this;
}

Hdf5File::~Hdf5File() { Close(); }

void Hdf5File::Close() {
  if (id_ < 0) return;
  const hdf5::Lock lock;
  H5Fclose(std::exchange(id_, -1));
}

std::string Hdf5File::Where(const std::string& object) const { return path_ + ":" + object; }

void Hdf5File::RequireWritable(const std::string& object) const {
  if (!writable_ || id_ < 0) Fail(Where(object), "the file is not open for writing");
}

bool Hdf5File::Has(const std::string& object) const {
  const hdf5::Lock lock;
  return hdf5::Exists(id_, object, Where(object));
}

bool Hdf5File::IsGroup(const std::string& object) const {
  const hdf5::Lock lock;
  return H5Iget_type(hdf5::OpenObject(id_, object, Where(object))) == H5I_GROUP;
}

std::vector<std::string> Hdf5File::List(const std::string& group, int64_t limit) const {
  const hdf5::Lock lock;
  const std::string where = Where(group);
  const hdf5::Id id = hdf5::OpenObject(id_, group, where);
  if (H5Iget_type(id) != H5I_GROUP) Fail(where, "not a group");
  H5G_info_t info;
  hdf5::Check(H5Gget_info(id, &info), where, "read the group");
  if (info.nlinks > static_cast<hsize_t>(limit)) {
    Fail(where, "holds {} objects; at most {} are accepted", info.nlinks, limit);
  }
  std::vector<std::string> names;
  const auto take = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  hsize_t position = 0;
  // As the links lie: a sorted list of damaged links is freed wrongly by libhdf5.
  hdf5::Check(H5Literate(id, H5_INDEX_NAME, H5_ITER_NATIVE, &position, take, &names), where,
              "list the group");
  std::sort(names.begin(), names.end());
  return names;
}

void Hdf5File::WriteGroup(const std::string& object) {
  const hdf5::Lock lock;
  RequireWritable(object);
  if (hdf5::Exists(id_, object, Where(object))) Fail(Where(object), "written twice");
  hdf5::MakeGroups(id_, object, Where(object));
}

// The file as it is to be written. libhdf5 may lay out the end anew at every flush.
std::span<uint8_t> Hdf5File::Image() {
  const hdf5::Lock lock;
  RequireWritable("/");
  hdf5::Check(H5Fflush(id_, H5F_SCOPE_GLOBAL), path_, "flush");
  const hdf5::Id create = hdf5::Own(H5Fget_create_plist(id_), H5Pclose, path_, "read properties");
  hsize_t user_block = 0;
  hdf5::Check(H5Pget_userblock(create, &user_block), path_, "read the user block's size");
  void* memory = nullptr;  // the memory driver's handle is the address of its buffer pointer
  hdf5::Check(H5Fget_vfd_handle(id_, H5P_DEFAULT, &memory), path_, "reach the file's memory");
  uint8_t* bytes = *static_cast<uint8_t**>(memory);
  uint64_t end_of_file = 0;
  std::memcpy(&end_of_file, bytes + user_block + kEndOfFileField, sizeof(end_of_file));
  return {bytes, static_cast<size_t>(end_of_file)};
}

void Hdf5File::Commit(const std::function<void(std::span<uint8_t> image)>& finish) {
  const std::span<uint8_t> image = Image();
  if (finish) finish(image);
  WriteFileAtomically(path_, {reinterpret_cast<const char*>(image.data()), image.size()});
  Close();
}

}  // namespace sparsify
