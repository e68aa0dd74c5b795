// Files for the tests of sparsity/data: pictures encoded by libjpeg and libpng, IDX and gzip
// bytes, and a directory that goes away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/data/image.h"

namespace sparsify {

/// A directory of its own, removed with its contents at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  /// Writes a file and returns its path.
  std::string Add(const std::string& name, const std::string& contents) const;

 private:
  std::string path_;
};

/// Uniform noise; the same for the same seed.
Image NoiseImage(int64_t height, int64_t width, int64_t channels, uint64_t seed);
/// Slow sines, which JPEG keeps closely.
Image SmoothImage(int64_t height, int64_t width, int64_t channels);

/// Baseline or progressive JPEG of quality 95 without chroma subsampling. 1, 3 or 4 channels
/// (4: CMYK as Adobe writes it, 255 means no ink).
std::string EncodeJpeg(const Image& image, bool progressive = false);
/// `color_type` is libpng's; `samples` are rows of big-endian samples of `bit_depth` bits.
std::string EncodePng(int64_t height, int64_t width, int color_type, int bit_depth,
                      const std::vector<uint8_t>& samples, bool interlaced = false);
/// 8-bit grey or RGB.
std::string EncodePng(const Image& image);

/// IDX bytes: magic, dimensions, values.
std::string IdxBytes(const std::vector<uint32_t>& dims, const std::vector<uint8_t>& values);
std::string Gzip(const std::string& contents);

}  // namespace sparsify
