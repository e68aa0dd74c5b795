// A decoded picture: 8-bit samples, rows of interleaved channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sparsify {

struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;         // 1 grey, 3 red-green-blue
  std::vector<uint8_t> pixels;  // height × width × channels

  Image() = default;
  Image(int64_t h, int64_t w, int64_t c)
      : height(h), width(w), channels(c), pixels(static_cast<size_t>(h * w * c)) {}

  uint8_t* Row(int64_t y) { return pixels.data() + y * width * channels; }
  const uint8_t* Row(int64_t y) const { return pixels.data() + y * width * channels; }
};

/// No picture may have more pixels than this; a larger header is taken as damage.
constexpr int64_t kMaxImagePixels = 100'000'000;

}  // namespace sparsify
