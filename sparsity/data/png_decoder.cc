#include "sparsity/data/png_decoder.h"

#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

struct Input {
  std::string_view rest;
  char message[256];
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  auto* input = static_cast<Input*>(png_get_error_ptr(png));
  std::snprintf(input->message, sizeof input->message, "%s", message);
  png_longjmp(png, 1);
}

// libpng warns about metadata only (odd profiles, unknown text); damaged pixels are errors.
void OnWarning(png_structp, png_const_charp) {}

void ReadBytes(png_structp png, png_bytep to, size_t count) {
  auto* input = static_cast<Input*>(png_get_io_ptr(png));
  if (count > input->rest.size()) png_error(png, "the file ends early");
  std::memcpy(to, input->rest.data(), count);
  input->rest.remove_prefix(count);
}

// One decompression. Functions that libpng may jump out of keep no objects with
// destructors on their stack: results live with the caller.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : input_{bytes, "cannot start libpng"} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &input_, OnError, OnWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool ReadHeader() {
    if (info_ == nullptr || setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, &input_, ReadBytes);
    png_set_user_limits(png_, kMaxImagePixels, kMaxImagePixels);
    png_read_info(png_, info_);
    return true;
  }

  /// Asks for 8-bit grey or RGB. `rows` stays the caller's.
  bool StartPixels() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const int type = png_get_color_type(png_, info_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool ReadPixels(png_bytepp rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  int64_t height() const { return png_get_image_height(png_, info_); }
  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t channels() const { return png_get_channels(png_, info_); }
  int64_t row_bytes() const { return static_cast<int64_t>(png_get_rowbytes(png_, info_)); }
  const char* message() const { return input_.message; }

 private:
  Input input_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Image DecodePng(std::string_view bytes, const std::string& name) {
  Decoder decoder(bytes);
  if (!decoder.ReadHeader()) Fail(name, "broken PNG: {}", decoder.message());
  if (decoder.height() * decoder.width() > kMaxImagePixels) {
    Fail(name, "the PNG header says {}×{} pixels, at most {} in all are read", decoder.width(),
         decoder.height(), kMaxImagePixels);
  }
  if (!decoder.StartPixels()) Fail(name, "broken PNG: {}", decoder.message());
  Image image(decoder.height(), decoder.width(), decoder.channels());
  if (decoder.row_bytes() != image.width * image.channels) {
    Fail(name, "broken PNG: {} bytes a row, expected {}", decoder.row_bytes(),
         image.width * image.channels);
  }
  std::vector<png_bytep> rows(static_cast<size_t>(image.height));
  for (int64_t y = 0; y < image.height; ++y) rows[static_cast<size_t>(y)] = image.Row(y);
  if (!decoder.ReadPixels(rows.data())) Fail(name, "broken PNG: {}", decoder.message());
  return image;
}

}  // namespace sparsify
