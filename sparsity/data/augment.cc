#include "sparsity/data/augment.h"

#include <algorithm>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/data/resize.h"

namespace sparsify {
namespace {

// Where a crop lies along one side, in pixels.
struct Span {
  int64_t first = 0;
  int64_t size = 1;
};

Span CropSpan(double position, double side, int64_t size) {
  const int64_t wanted = std::clamp<int64_t>(std::llround(side), 1, size);
  const auto places = static_cast<double>(size - wanted + 1);
  return {std::min(size - wanted, static_cast<int64_t>(position * places)), wanted};
}

struct Crop {
  Span rows;
  Span columns;
};

Crop CropOf(const View& view, int64_t height, int64_t width) {
  const double area = view.area * static_cast<double>(height) * static_cast<double>(width);
  return {CropSpan(view.top, std::sqrt(area / view.aspect), height),
          CropSpan(view.left, std::sqrt(area * view.aspect), width)};
}

uint8_t ToByte(double value) {
  return static_cast<uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
}

double Gray(const uint8_t* pixel, int64_t channels) {
  return channels == 1 ? pixel[0] : 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

// Brightness, then contrast, then saturation.
void AdjustColors(const View& view, Image& image) {
  const auto count = std::ssize(image.pixels);
  double sum = 0;
  for (int64_t i = 0; i < count; i += image.channels) {
    sum += Gray(image.pixels.data() + i, image.channels);
  }
  const double mean = view.brightness * sum * static_cast<double>(image.channels) /
                      static_cast<double>(std::max<int64_t>(1, count));
  for (int64_t i = 0; i < count; i += image.channels) {
    uint8_t* pixel = image.pixels.data() + i;
    double gray = view.brightness * Gray(pixel, image.channels);
    gray = mean + (gray - mean) * view.contrast;
    for (int64_t c = 0; c < image.channels; ++c) {
      const double value = mean + (pixel[c] * view.brightness - mean) * view.contrast;
      pixel[c] = ToByte(gray + (value - gray) * view.saturation);
    }
  }
}

// Bilinear weights of one output position along a side, of a crop enlarged or reduced.
struct Tap {
  int64_t low = 0;
  int64_t high = 0;
  float share = 0;  // of `high`
};

std::vector<Tap> Taps(const Span& span, int64_t size, bool mirrored) {
  std::vector<Tap> taps(static_cast<size_t>(size));
  for (int64_t k = 0; k < size; ++k) {
    const double from = (static_cast<double>(k) + 0.5) * static_cast<double>(span.size) /
                            static_cast<double>(size) -
                        0.5;
    const double at = std::clamp(from, 0.0, static_cast<double>(span.size - 1));
    const auto low = static_cast<int64_t>(at);
    taps[static_cast<size_t>(mirrored ? size - 1 - k : k)] = {
        span.first + low, span.first + std::min(low + 1, span.size - 1),
        static_cast<float>(at - static_cast<double>(low))};
  }
  return taps;
}

void ResizeView(const View& view, const Shape& shape, const float* planes, float* result) {
  const Crop crop = CropOf(view, shape[1], shape[2]);
  const std::vector<Tap> rows = Taps(crop.rows, shape[1], false);
  const std::vector<Tap> columns = Taps(crop.columns, shape[2], view.mirrored);
  for (int64_t c = 0; c < shape[0]; ++c) {
    const float* plane = planes + c * shape[1] * shape[2];
    for (const Tap& y : rows) {
      const float* above = plane + y.low * shape[2];
      const float* below = plane + y.high * shape[2];
      for (const Tap& x : columns) {
        const float top = above[x.low] + (above[x.high] - above[x.low]) * x.share;
        const float bottom = below[x.low] + (below[x.high] - below[x.low]) * x.share;
        *result++ = top + (bottom - top) * y.share;
      }
    }
  }
}

double Factor(double strength, double uniform) {
  return strength == 0 ? 1 : std::max(0.0, 1 + strength * (2 * uniform - 1));
}

}  // namespace

View Augmentation::Draw(Random& random) const {
  const double top = random.Uniform();
  const double left = random.Uniform();
  const bool mirrored = random.Uniform() < 0.5;
  View view;
  if (crop) {
    view.top = top;
    view.left = left;
  }
  view.mirrored = flip && mirrored;
  const double area = random.Uniform();
  const double aspect = random.Uniform();
  if (crop && min_area < 1) {
    view.area = min_area + (1 - min_area) * area;
    view.aspect = std::pow(4.0 / 3, 2 * aspect - 1);
  }
  view.brightness = Factor(brightness, random.Uniform());
  view.contrast = Factor(contrast, random.Uniform());
  view.saturation = Factor(saturation, random.Uniform());
  return view;
}

std::vector<int64_t> ViewIndices(double position, bool mirrored, int64_t size, int64_t crop) {
  constexpr int64_t kBorrowed = 8;  // a shift moves at most this part of the side
  const int64_t spare = size - crop;
  const int64_t low = spare > 0 ? 0 : -(crop / kBorrowed);
  const int64_t high = spare > 0 ? spare : crop / kBorrowed;
  const auto step =
      static_cast<int64_t>(std::floor(position * static_cast<double>(high - low + 1)));
  const int64_t offset = low + std::clamp<int64_t>(step, 0, high - low);
  std::vector<int64_t> indices(static_cast<size_t>(crop));
  for (int64_t k = 0; k < crop; ++k) {
    const int64_t from = offset + (mirrored ? crop - 1 - k : k);
    indices[static_cast<size_t>(k)] = std::clamp<int64_t>(from, 0, size - 1);
  }
  return indices;
}

Image CropPicture(const Image& picture, const View& view, int64_t height, int64_t width) {
  const bool resized = view.area > 0;
  std::vector<int64_t> rows;
  std::vector<int64_t> columns;
  if (resized) {
    const Crop crop = CropOf(view, picture.height, picture.width);
    for (int64_t y = 0; y < crop.rows.size; ++y) rows.push_back(crop.rows.first + y);
    for (int64_t x = 0; x < crop.columns.size; ++x) columns.push_back(crop.columns.first + x);
  } else {
    rows = ViewIndices(view.top, false, picture.height, height);
    columns = ViewIndices(view.left, false, picture.width, width);
  }
  Image cropped(std::ssize(rows), std::ssize(columns), picture.channels);
  uint8_t* to = cropped.pixels.data();
  for (const int64_t y : rows) {
    for (const int64_t x : columns) {
      to = std::copy_n(picture.Row(y) + x * picture.channels, picture.channels, to);
    }
  }
  if (resized) cropped = ResizeBilinear(cropped, height, width);
  if (view.ChangesColors()) AdjustColors(view, cropped);
  return cropped;
}

void ApplyView(const View& view, const Shape& shape, const float* planes, float* result) {
  if (view.ChangesColors()) {
    Fail("data", "colour jitter needs pictures (type: images or idx); switch it off");
  }
  if (view.area > 0) return ResizeView(view, shape, planes, result);
  const std::vector<int64_t> rows = ViewIndices(view.top, false, shape[1], shape[1]);
  const std::vector<int64_t> columns = ViewIndices(view.left, view.mirrored, shape[2], shape[2]);
  for (int64_t c = 0; c < shape[0]; ++c) {
    const float* plane = planes + c * shape[1] * shape[2];
    for (const int64_t row : rows) {
      for (const int64_t column : columns) *result++ = plane[row * shape[2] + column];
    }
  }
}

}  // namespace sparsify
