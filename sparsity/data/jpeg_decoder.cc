#include "sparsity/data/jpeg_decoder.h"

#include <csetjmp>
#include <cstdio>

// jpeglib.h needs size_t and FILE declared before it.
#include <jpeglib.h>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr int kMaxScans = 500;                     // progressive files: a bound on work
constexpr long kMaxDecoderMemory = 1'000'000'000;  // NOLINT(runtime/int): libjpeg's type

// libjpeg calls back through the first member.
struct ErrorManager {
  jpeg_error_mgr base;
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void JumpOut(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, manager->message);
  longjmp(manager->jump, 1);
}

// Level −1 is a warning: pixels were made up. Trace messages (level >= 0) are dropped.
void OnMessage(j_common_ptr info, int level) {
  if (level < 0) JumpOut(info);
}

void OnProgress(j_common_ptr info) {
  auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  if (decoder->input_scan_number <= kMaxScans) return;
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(manager->message, sizeof manager->message, "more than %d scans", kMaxScans);
  longjmp(manager->jump, 1);
}

// One decompression. Functions that libjpeg may jump out of keep no objects with
// destructors on their stack: the result lives with the caller.
class Decoder {
 public:
  Decoder() {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = JumpOut;
    errors_.base.emit_message = OnMessage;
    errors_.message[0] = '\0';
    progress_.progress_monitor = OnProgress;
  }
  ~Decoder() { jpeg_destroy_decompress(&info_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// Reads up to the first scan and picks the output colours; false: see message().
  bool ReadHeader(std::string_view bytes) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    info_.mem->max_memory_to_use = kMaxDecoderMemory;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()),
                 static_cast<unsigned long>(bytes.size()));  // NOLINT(runtime/int)
    jpeg_read_header(&info_, TRUE);
    if (info_.num_components == 1) {
      info_.out_color_space = JCS_GRAYSCALE;
    } else if (info_.num_components == 4) {
      info_.out_color_space = JCS_CMYK;
    } else {
      info_.out_color_space = JCS_RGB;
    }
    jpeg_calc_output_dimensions(&info_);
    return true;
  }

  /// Decodes into `image`, sized height() × width() × components().
  bool ReadPixels(Image& image) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = image.Row(info_.output_scanline);
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  int64_t height() const { return info_.output_height; }
  int64_t width() const { return info_.output_width; }
  int64_t components() const { return info_.out_color_components; }
  /// CMYK as Adobe's programs store it: 255 means no ink.
  bool inverted() const { return info_.saw_Adobe_marker != 0; }
  const char* message() const { return errors_.message; }

 private:
  jpeg_decompress_struct info_ = {};
  ErrorManager errors_ = {};
  jpeg_progress_mgr progress_ = {};
};

// R = (255 − C)(255 − K) / 255, rounded.
Image RgbFromCmyk(const Image& cmyk, bool inverted) {
  Image rgb(cmyk.height, cmyk.width, 3);
  const size_t count = cmyk.pixels.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* in = cmyk.pixels.data() + 4 * i;
    const int light = inverted ? in[3] : 255 - in[3];
    for (size_t c = 0; c < 3; ++c) {
      const int value = inverted ? in[c] : 255 - in[c];
      rgb.pixels[3 * i + c] = static_cast<uint8_t>((value * light + 127) / 255);
    }
  }
  return rgb;
}

}  // namespace

Image DecodeJpeg(std::string_view bytes, const std::string& name) {
  Decoder decoder;
  if (!decoder.ReadHeader(bytes)) Fail(name, "broken JPEG: {}", decoder.message());
  if (decoder.height() * decoder.width() > kMaxImagePixels) {
    Fail(name, "the JPEG header says {}×{} pixels, at most {} in all are read", decoder.width(),
         decoder.height(), kMaxImagePixels);
  }
  Image image(decoder.height(), decoder.width(), decoder.components());
  if (!decoder.ReadPixels(image)) Fail(name, "broken JPEG: {}", decoder.message());
  if (image.channels == 4) return RgbFromCmyk(image, decoder.inverted());
  return image;
}

}  // namespace sparsify
