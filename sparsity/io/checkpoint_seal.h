// The seal: a 512-byte block in front of a checkpoint's HDF5 content with the format
// version, the file's length and a CRC-32 over everything behind it. It is verified before
// libhdf5 sees the file, so that damage never reaches libhdf5, which trusts what it reads.
// docs/checkpoint_format.md section "Seal" is normative.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sparsify {

inline constexpr int64_t kSealBytes = 512;
inline constexpr std::string_view kSealMagic = "SPARSIFY";

/// Fills the first kSealBytes of a whole file in memory. The file must be longer than those.
void SealImage(std::span<uint8_t> image);

/// Throws unless `path` is a sealed checkpoint of a version that can be read, unchanged since
/// it was sealed.
void VerifySeal(const std::string& path);

}  // namespace sparsify
