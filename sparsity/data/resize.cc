#include "sparsity/data/resize.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr int kFractionBits = 22;

// Which input positions make one output position, and with what fixed-point weights.
struct Taps {
  int64_t first = 0;
  int64_t count = 0;
};

struct Filter {
  std::vector<Taps> taps;        // one an output position
  std::vector<int32_t> weights;  // taps.size() × width
  int64_t width = 0;
};

Filter TriangleFilter(int64_t in_size, int64_t out_size) {
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double half_width = std::max(scale, 1.0);
  Filter filter;
  filter.width = static_cast<int64_t>(std::ceil(half_width)) * 2 + 1;
  filter.taps.resize(static_cast<size_t>(out_size));
  filter.weights.assign(static_cast<size_t>(out_size * filter.width), 0);
  std::vector<double> exact(static_cast<size_t>(filter.width));
  for (int64_t out = 0; out < out_size; ++out) {
    const double center = (static_cast<double>(out) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(center - half_width + 0.5));
    const auto last = std::min(in_size, static_cast<int64_t>(center + half_width + 0.5));
    double sum = 0;
    for (int64_t in = first; in < last; ++in) {
      const double distance = (static_cast<double>(in) - center + 0.5) * (1.0 / half_width);
      sum += exact[static_cast<size_t>(in - first)] = std::max(0.0, 1.0 - std::abs(distance));
    }
    filter.taps[static_cast<size_t>(out)] = {first, last - first};
    int32_t* weights = filter.weights.data() + out * filter.width;
    for (int64_t k = 0; k < last - first; ++k) {
      const double weight = exact[static_cast<size_t>(k)] / sum;
      weights[k] = static_cast<int32_t>(0.5 + weight * (1 << kFractionBits));
    }
  }
  return filter;
}

uint8_t Round(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

// Channels is a compile-time constant so that the inner loops unroll.
template <int kChannels>
void ResizeRow(const uint8_t* in, const Filter& filter, uint8_t* out) {
  const int32_t* weights = filter.weights.data();
  for (const Taps& taps : filter.taps) {
    int32_t sum[kChannels];
    std::fill_n(sum, kChannels, 1 << (kFractionBits - 1));
    const uint8_t* pixel = in + taps.first * kChannels;
    for (int64_t k = 0; k < taps.count; ++k, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sum[c] += weights[k] * pixel[c];
    }
    for (int c = 0; c < kChannels; ++c) *out++ = Round(sum[c]);
    weights += filter.width;
  }
}

Image ResizeColumns(const Image& image, int64_t width) {
  const Filter filter = TriangleFilter(image.width, width);
  Image result(image.height, width, image.channels);
  for (int64_t y = 0; y < image.height; ++y) {
    if (image.channels == 1) {
      ResizeRow<1>(image.Row(y), filter, result.Row(y));
    } else {
      ResizeRow<3>(image.Row(y), filter, result.Row(y));
    }
  }
  return result;
}

Image ResizeRows(const Image& image, int64_t height) {
  const Filter filter = TriangleFilter(image.height, height);
  Image result(height, image.width, image.channels);
  const int64_t row_size = image.width * image.channels;
  std::vector<int32_t> sums(static_cast<size_t>(row_size));
  for (int64_t y = 0; y < height; ++y) {
    const Taps& taps = filter.taps[static_cast<size_t>(y)];
    std::fill(sums.begin(), sums.end(), 1 << (kFractionBits - 1));
    for (int64_t k = 0; k < taps.count; ++k) {
      const int32_t weight = filter.weights[static_cast<size_t>(y * filter.width + k)];
      const uint8_t* row = image.Row(taps.first + k);
      for (int64_t x = 0; x < row_size; ++x) sums[static_cast<size_t>(x)] += weight * row[x];
    }
    uint8_t* out = result.Row(y);
    for (int64_t x = 0; x < row_size; ++x) out[x] = Round(sums[static_cast<size_t>(x)]);
  }
  return result;
}

}  // namespace

Image ResizeBilinear(const Image& image, int64_t height, int64_t width) {
  if (image.channels != 1 && image.channels != 3) {
    Fail("resize", "{} channels, expected 1 or 3", image.channels);
  }
  if (width == image.width) {
    return height == image.height ? image : ResizeRows(image, height);
  }
  const Image columns = ResizeColumns(image, width);
  return height == image.height ? columns : ResizeRows(columns, height);
}

}  // namespace sparsify
