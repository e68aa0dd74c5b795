#include "sparsity/io/checkpoint_seal.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/io/checkpoint_format.h"

namespace sparsify {
namespace {

static_assert(std::endian::native == std::endian::little, "the seal is little-endian");

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";
constexpr size_t kReadBytes = size_t{1} << 20;

// The first 32 bytes; the same in every version of the format.
struct Header {
  std::array<char, 8> magic;
  uint32_t major;
  uint32_t minor;
  uint64_t file_bytes;
  uint32_t content_crc;  // of the bytes from kSealBytes to the end
  uint32_t header_crc;   // of the 28 bytes before this field
};
static_assert(sizeof(Header) == 32);

uint32_t CrcOf(const void* bytes, size_t count, uint32_t before = 0) {
  return static_cast<uint32_t>(crc32_z(before, static_cast<const unsigned char*>(bytes), count));
}

uint32_t HeaderCrc(const Header& header) { return CrcOf(&header, offsetof(Header, header_crc)); }

std::string_view Magic(const Header& header) { return {header.magic.data(), header.magic.size()}; }

void CheckHeader(const Header& header, const std::string& path) {
  if (Magic(header) == kHdf5Signature) {
    Fail(path,
         "is HDF5 but has no checkpoint seal in front; docs/checkpoint_format.md says how to seal "
         "a file that another program wrote");
  }
  if (Magic(header) != kSealMagic) {
    Fail(path, "is not a sparsify checkpoint: it does not begin with \"{}\"", kSealMagic);
  }
  if (header.header_crc != HeaderCrc(header)) Fail(path, "the seal is damaged");
  if (header.major != checkpoint_format::kMajor) {
    Fail(path,
         "has checkpoint format {}.{}, this program reads {}.x; use a sparsify that reads {}.x",
         header.major, header.minor, checkpoint_format::kMajor, header.major);
  }
}

uint32_t CrcToEnd(std::ifstream& file) {
  std::vector<char> bytes(kReadBytes);
  uint32_t crc = 0;
  while (file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) || file.gcount() > 0) {
    crc = CrcOf(bytes.data(), static_cast<size_t>(file.gcount()), crc);
  }
  return crc;
}

// The content must begin with a superblock of version 2 or 3, whose structures are checksummed.
void CheckContentStart(const std::array<char, 16>& start, const std::string& path) {
  if (std::string_view(start.data(), kHdf5Signature.size()) != kHdf5Signature) {
    Fail(path, "has no HDF5 content behind its seal");
  }
  const char version = start[kHdf5Signature.size()];
  if (version != 2 && version != 3) {
    Fail(path,
         "has an HDF5 superblock of version {}, expected 2 or 3; write it with the library "
         "bounds v108 or later",
         static_cast<int>(version));
  }
}

}  // namespace

void SealImage(std::span<uint8_t> image) {
  const auto content = image.subspan(kSealBytes);
  Header header = {};
  std::copy(kSealMagic.begin(), kSealMagic.end(), header.magic.begin());
  header.major = checkpoint_format::kMajor;
  header.minor = checkpoint_format::kMinor;
  header.file_bytes = image.size();
  header.content_crc = CrcOf(content.data(), content.size());
  header.header_crc = HeaderCrc(header);
  std::fill_n(image.begin(), kSealBytes, uint8_t{0});
  std::memcpy(image.data(), &header, sizeof(header));
}

void VerifySeal(const std::string& path) {
  const int64_t file_bytes = FileSize(path);
  std::ifstream file(path, std::ios::binary);
  std::array<char, kSealBytes> block{};
  file.read(block.data(), block.size());
  Header header;
  std::memcpy(&header, block.data(), sizeof(header));
  CheckHeader(header, path);
  if (header.file_bytes != static_cast<uint64_t>(file_bytes)) {
    Fail(path, "has {} bytes, its seal says {}; cut short or changed since it was written",
         file_bytes, header.file_bytes);
  }
  if (std::any_of(block.begin() + sizeof(header), block.end(), [](char c) { return c != 0; })) {
    Fail(path, "the seal is damaged: its reserved bytes are not zero");
  }
  std::array<char, 16> start{};
  file.read(start.data(), start.size());
  if (!file) Fail(path, "has no HDF5 content behind its seal");
  file.seekg(kSealBytes);
  const uint32_t crc = CrcToEnd(file);
  if (crc != header.content_crc) {
    Fail(path, "has checksum {:08x}, its seal says {:08x}; damaged or changed since it was written",
         crc, header.content_crc);
  }
  CheckContentStart(start, path);
}

}  // namespace sparsify
