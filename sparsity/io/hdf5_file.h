// One HDF5 file, as far as this project needs the format: typed arrays, text and
// attributes by object path. The hdf5_* files are the only users of libhdf5.
//
// Reading never follows soft, external or user-defined links, virtual datasets or external
// storage, runs only the shuffle, deflate and fletcher32 filters, and refuses an array whose
// declared size the stored bytes cannot expand to. Writing builds the file in memory and puts
// it on disk in one atomic step (Commit), because libhdf5 1.10 crashes after a failed write.
// Every failure is an Error "file.h5:/object: what"; libhdf5 itself prints nothing.
// Calls from several threads are serialised by one lock for the process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sparsity/tensor/shape.h"

namespace sparsify {

/// The kinds of element that are read; anything else in a file is refused by name.
enum class Hdf5Type {
  kFloat32,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kText,  // fixed length
};
/// "float32", "uint8", "text" …
std::string_view Hdf5TypeName(Hdf5Type type);

struct Hdf5Dataset {
  Shape shape;
  Hdf5Type type = Hdf5Type::kFloat32;
  int64_t element_bytes = 4;
  int64_t stored_bytes = 0;  // on disk, after filters
};

using Hdf5Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>,
                                   std::vector<double>, std::vector<std::string>>;

class Hdf5File {
 public:
  /// Opens for reading. Throws when it is no regular file, not HDF5, truncated or damaged.
  static Hdf5File Open(const std::string& path);
  /// Starts a new file in memory; nothing touches the disk before Commit. The first
  /// `user_block_bytes` (0, 512, 1024, … a power of two) are left to Commit.
  static Hdf5File Create(const std::string& path, int64_t user_block_bytes = 0);

  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;
  ~Hdf5File();

  const std::string& path() const { return path_; }

  // Objects. A path is absolute ("/weights/conv1"); each method throws when it is missing
  // or of another kind than the method needs.
  bool Has(const std::string& object) const;
  bool IsGroup(const std::string& object) const;
  /// Names inside a group, in byte order. Throws when there are more than `limit`.
  std::vector<std::string> List(const std::string& group, int64_t limit = 1 << 20) const;
  Hdf5Dataset Info(const std::string& object) const;
  Shape Dims(const std::string& object) const { return Info(object).shape; }

  // Arrays: rows [offset, offset + count) of the first dimension, row-major, into `out`, whose
  // size must be exactly that many elements. A scalar is one row.
  /// From any numeric type, converted as C does (uint8 → 0…255); float32 is bit exact.
  void ReadFloats(const std::string& object, int64_t offset, int64_t count,
                  std::span<float> out) const;
  void ReadDoubles(const std::string& object, int64_t offset, int64_t count,
                   std::span<double> out) const;
  /// From any integer type; a uint64 beyond the range saturates.
  void ReadInts(const std::string& object, int64_t offset, int64_t count,
                std::span<int64_t> out) const;
  /// From uint8 only.
  void ReadBytes(const std::string& object, int64_t offset, int64_t count,
                 std::span<uint8_t> out) const;
  /// A whole list of fixed-length text; trailing NULs are padding.
  std::vector<std::string> ReadStrings(const std::string& object) const;
  /// A scalar text.
  std::string ReadString(const std::string& object) const;
  /// CRC-32 (zlib's) of the decoded elements, row-major, in the byte order they are stored in.
  uint32_t Crc32(const std::string& object) const;

  bool HasAttribute(const std::string& object, const std::string& name) const;
  Hdf5Attribute GetAttribute(const std::string& object, const std::string& name) const;
  std::map<std::string, Hdf5Attribute> GetAttributes(const std::string& object) const;

  // Writing (Create only). Groups on the way are made; an object may be written once. Arrays
  // of 1 KiB and more are chunked, shuffled and deflated. Texts must not hold NUL.
  /// Arrays written from now on are not deflated, but have checksums: for a file that is soon
  /// replaced by the next.
  void StorePlain() { deflates_ = false; }
  void WriteGroup(const std::string& object);
  void WriteFloats(const std::string& object, const Shape& shape, std::span<const float> values);
  void WriteDoubles(const std::string& object, const Shape& shape, std::span<const double> values);
  void WriteInts(const std::string& object, const Shape& shape, std::span<const int64_t> values);
  void WriteBytes(const std::string& object, const Shape& shape, std::span<const uint8_t> values);
  void WriteStrings(const std::string& object, const std::vector<std::string>& values);
  void WriteString(const std::string& object, const std::string& value);
  /// An array [0, row…] that AppendFloats lengthens by whole rows.
  void CreateFloats(const std::string& object, const Shape& row);
  void AppendFloats(const std::string& object, std::span<const float> values);
  void SetAttribute(const std::string& object, const std::string& name, const Hdf5Attribute& value);

  /// Writes the file to path() atomically and closes it; `finish` may fill the user block in the
  /// whole file before. On failure (a full disk) throws and leaves neither a partial nor a
  /// temporary file, and an existing file as it was.
  void Commit(const std::function<void(std::span<uint8_t> image)>& finish = nullptr);

 private:
  Hdf5File(std::string path, int64_t id, int64_t file_bytes, bool writable);
  void Close();
  std::span<uint8_t> Image();
  std::string Where(const std::string& object) const;
  void RequireWritable(const std::string& object) const;

  std::string path_;
  int64_t id_ = -1;         // libhdf5's file handle
  int64_t file_bytes_ = 0;  // of an opened file; no limit for one being made
  bool writable_ = false;
  bool deflates_ = true;
};

}  // namespace sparsify
