// CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of TFRecord files. zlib's crc32 is of
// another polynomial.
#pragma once

#include <cstdint>
#include <string_view>

namespace sparsify {

uint32_t Crc32c(std::string_view bytes);

}  // namespace sparsify
