#include "sparsity/data/image_decoder.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "sparsity/base/error.h"
#include "sparsity/base/file.h"
#include "sparsity/data/jpeg_decoder.h"
#include "sparsity/data/png_decoder.h"

namespace sparsify {
namespace {

std::string HexOf(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", static_cast<unsigned char>(c));
  }
  return text;
}

}  // namespace

Image DecodeImage(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) Fail(name, "the file is empty; expected a JPEG or PNG image");
  if (bytes.starts_with("\xff\xd8\xff")) return DecodeJpeg(bytes, name);
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return DecodePng(bytes, name);
  Fail(name, "neither JPEG nor PNG: it starts with the bytes {}", HexOf(bytes.substr(0, 8)));
}

Image ReadImage(const std::string& path) {
  constexpr int64_t kMaxImageBytes = 500'000'000;
  std::error_code error;
  // Reading a pipe that nobody writes would wait for ever.
  if (std::filesystem::is_other(path, error)) {
    Fail(path, "is neither a file nor a link to one");
  }
  return DecodeImage(ReadFile(path, kMaxImageBytes), path);
}

}  // namespace sparsify
