#include "image_files.h"

#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sparsity/base/random.h"

namespace sparsify {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "sparsify-XXXXXX").string();
  EXPECT_NE(mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path_); }

std::string TemporaryFolder::Add(const std::string& name, const std::string& contents) const {
  const std::filesystem::path path = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << contents;
  return path.string();
}

Image NoiseImage(int64_t height, int64_t width, int64_t channels, uint64_t seed) {
  Image image(height, width, channels);
  Random random(seed);
  for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(random.Below(256));
  return image;
}

Image SmoothImage(int64_t height, int64_t width, int64_t channels) {
  Image image(height, width, channels);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width * channels; ++x) {
      const double phase = 0.05 * static_cast<double>(y) + 0.07 * static_cast<double>(x / channels);
      image.Row(y)[x] = static_cast<uint8_t>(
          std::lround(128 + 90 * std::sin(phase + static_cast<double>(x % channels))));
    }
  }
  return image;
}

std::string EncodeJpeg(const Image& image, bool progressive) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;  // NOLINT(runtime/int)
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.input_components = static_cast<int>(image.channels);
  info.in_color_space =
      image.channels == 1 ? JCS_GRAYSCALE : (image.channels == 3 ? JCS_RGB : JCS_CMYK);
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 95, TRUE);
  for (int c = 0; c < info.num_components; ++c) {
    info.comp_info[c].h_samp_factor = info.comp_info[c].v_samp_factor = 1;
  }
  if (image.channels == 4) info.write_Adobe_marker = TRUE;
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(image.Row(info.next_scanline));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

namespace {

void AppendBytes(png_structp png, png_bytep data, size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))
      ->append(reinterpret_cast<const char*>(data), count);
}

int SamplesAPixel(int color_type) {
  if (color_type == PNG_COLOR_TYPE_RGB) return 3;
  if (color_type == PNG_COLOR_TYPE_RGB_ALPHA) return 4;
  return color_type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2 : 1;
}

}  // namespace

std::string EncodePng(int64_t height, int64_t width, int color_type, int bit_depth,
                      const std::vector<uint8_t>& samples, bool interlaced) {
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, AppendBytes, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height),
               bit_depth, color_type, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (color_type == PNG_COLOR_TYPE_PALETTE) {
    // Entry i is (i, 255 − i, i / 2) and, for the tests of transparency, half see-through.
    png_color palette[256];
    png_byte alpha[256];
    const int entries = 1 << bit_depth;
    for (int i = 0; i < entries; ++i) {
      palette[i] = {static_cast<png_byte>(i), static_cast<png_byte>(255 - i),
                    static_cast<png_byte>(i / 2)};
      alpha[i] = 128;
    }
    png_set_PLTE(png, info, palette, entries);
    png_set_tRNS(png, info, alpha, entries, nullptr);
  }
  png_write_info(png, info);
  const size_t row_bytes =
      (static_cast<size_t>(width) * SamplesAPixel(color_type) * static_cast<size_t>(bit_depth) +
       7) /
      8;
  std::vector<png_bytep> rows;
  for (size_t y = 0; y < static_cast<size_t>(height); ++y) {
    rows.push_back(const_cast<png_bytep>(samples.data() + y * row_bytes));
  }
  png_write_image(png, rows.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

std::string EncodePng(const Image& image) {
  return EncodePng(image.height, image.width,
                   image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, 8, image.pixels);
}

std::string IdxBytes(const std::vector<uint32_t>& dims, const std::vector<uint8_t>& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dims.size())};
  for (const uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dim >> shift);
  }
  bytes.append(values.begin(), values.end());
  return bytes;
}

std::string Gzip(const std::string& contents) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string bytes(deflateBound(&stream, contents.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(contents.data()));
  stream.avail_in = static_cast<uInt>(contents.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

}  // namespace sparsify
