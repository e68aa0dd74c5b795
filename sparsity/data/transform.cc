#include "sparsity/data/transform.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/data/resize.h"

namespace sparsify {
namespace {

Image GrayFromRgb(const Image& image) {
  Image gray(image.height, image.width, 1);
  for (size_t i = 0; i < gray.pixels.size(); ++i) {
    const uint8_t* rgb = image.pixels.data() + 3 * i;
    gray.pixels[i] =
        static_cast<uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 32768U) >> 16);
  }
  return gray;
}

Image Resized(Image image, int64_t height, int64_t width) {
  if (height == image.height && width == image.width) return image;
  if (height * width > kMaxImagePixels) {
    Fail("resize", "{}×{} would become {}×{} pixels, at most {} in all", image.height, image.width,
         height, width, kMaxImagePixels);
  }
  return ResizeBilinear(image, height, width);
}

// `length` where `from` has become `to`.
int64_t InProportion(int64_t length, int64_t from, int64_t to) {
  if (from == to) return length;
  return std::llround(static_cast<double>(length) * static_cast<double>(to) /
                      static_cast<double>(from));
}

Shape InputShape(const Shape& network, std::optional<int64_t> resolution) {
  if (!resolution || network.rank() != 3) return network;
  return {network[0], *resolution, *resolution};
}

// The `crop` pixels in the middle; half a pixel goes to the even offset, as Python's round.
std::vector<int64_t> CentreIndices(int64_t size, int64_t crop) {
  std::vector<int64_t> indices(static_cast<size_t>(crop));
  std::iota(indices.begin(), indices.end(),
            static_cast<int64_t>(std::nearbyint(static_cast<double>(size - crop) / 2.0)));
  return indices;
}

}  // namespace

Transform::Transform(const TransformOptions& options, const Shape& network_shape,
                     const std::string& key, std::optional<int64_t> resolution)
    : options_(options),
      network_shape_(network_shape),
      input_shape_(InputShape(network_shape, resolution)),
      key_(key) {
  CheckOptions();
  for (int64_t c = 0; c < input_shape_[0]; ++c) {
    std::array<float, 256>& table = tables_.emplace_back();
    for (int value = 0; value < 256; ++value) {
      table[static_cast<size_t>(value)] =
          static_cast<float>((value * options_.scale - Mean(c)) / Std(c));
    }
  }
}

double Transform::Mean(int64_t channel) const {
  return options_.mean[options_.mean.size() == 1 ? 0 : static_cast<size_t>(channel)];
}

double Transform::Std(int64_t channel) const {
  return options_.std[options_.std.size() == 1 ? 0 : static_cast<size_t>(channel)];
}

void Transform::CheckOptions() const {
  if (network_shape_.rank() != 3) {
    FailUsage(key_, "the network input is {}, images need channels × height × width",
              network_shape_.ToString());
  }
  const auto channels = static_cast<size_t>(network_shape_[0]);
  const size_t color_channels = options_.color == "gray" ? 1 : 3;
  if (color_channels != channels) {
    FailUsage(key_ + ".color", "\"{}\" gives {} channels, the network input {} has {}; set {}",
              options_.color, color_channels, network_shape_.ToString(), channels,
              channels == 1 ? "color: gray" : "color: rgb or bgr");
  }
  for (const auto& [name, list] : {std::pair(".mean", &options_.mean), {".std", &options_.std}}) {
    if (list->size() != 1 && list->size() != channels) {
      FailUsage(key_ + name, "{} values, expected 1{}", list->size(),
                channels == 1 ? "" : fmt::format(" or {} (one a channel)", channels));
    }
  }
  for (const double std : options_.std) {
    if (!(std > 0)) FailUsage(key_ + ".std", "{} must be above 0", std);
  }
  if (options_.resize.size() > 2) {
    FailUsage(key_ + ".resize", "{} values, expected [height, width] or [short side]",
              options_.resize.size());
  }
  const int64_t height = network_shape_[1];
  const int64_t width = network_shape_[2];
  const std::string expected = fmt::format("the network input is {}×{}", height, width);
  if (options_.center_crop && (*options_.center_crop != height || height != width)) {
    FailUsage(key_ + ".center_crop", "gives {0}×{0}, {1}", *options_.center_crop, expected);
  }
  if (!options_.center_crop && options_.resize.size() == 2 &&
      options_.resize != std::vector<int64_t>{height, width}) {
    FailUsage(key_ + ".resize", "gives {}×{}, {}", options_.resize[0], options_.resize[1],
              expected);
  }
}

// What a picture is resized to, once it is known that this leads to the network's size.
Transform::Size Transform::PictureSize(const Image& image, const std::string& name) const {
  const std::vector<int64_t>& resize = options_.resize;
  Size size = {image.height, image.width};
  if (resize.size() == 2) {
    size = {resize[0], resize[1]};
  } else if (resize.size() == 1) {
    const bool wide = image.height <= image.width;
    size = wide ? Size{resize[0], resize[0] * image.width / image.height}
                : Size{resize[0] * image.height / image.width, resize[0]};
  }
  const int64_t height = options_.center_crop.value_or(size.height);
  const int64_t width = options_.center_crop.value_or(size.width);
  if (height > size.height || width > size.width) {
    Fail(name, "{}×{} pixels{}, too small for center_crop: {}; set {}.resize", size.height,
         size.width, resize.empty() ? "" : " after resize", height, key_);
  }
  if (height != network_shape_[1] || width != network_shape_[2]) {
    Fail(name, "{}×{} pixels give {}×{}, the network input is {}×{}; set {}.resize or center_crop",
         image.height, image.width, height, width, network_shape_[1], network_shape_[2], key_);
  }
  return {InProportion(size.height, network_shape_[1], input_shape_[1]),
          InProportion(size.width, network_shape_[2], input_shape_[2])};
}

Image Transform::ToPicture(Image image, const std::string& name) const {
  if (options_.color == "gray" && image.channels == 3) image = GrayFromRgb(image);
  const Size size = PictureSize(image, name);
  return Resized(std::move(image), size.height, size.width);
}

void Transform::ToPixels(Image image, const std::string& name, uint8_t* pixels) const {
  const Image picture = ToPicture(std::move(image), name);
  Gather(picture, CentreIndices(picture.height, input_shape_[1]),
         CentreIndices(picture.width, input_shape_[2]), pixels);
}

void Transform::CropView(const Image& picture, const View& view, uint8_t* pixels) const {
  if (view.area > 0 || view.ChangesColors()) {
    const int64_t width = input_shape_[2];
    std::vector<int64_t> rows(static_cast<size_t>(input_shape_[1]));
    std::vector<int64_t> columns(static_cast<size_t>(width));
    std::iota(rows.begin(), rows.end(), 0);
    std::iota(columns.begin(), columns.end(), 0);
    if (view.mirrored) std::reverse(columns.begin(), columns.end());
    return Gather(CropPicture(picture, view, input_shape_[1], width), rows, columns, pixels);
  }
  Gather(picture, ViewIndices(view.top, false, picture.height, input_shape_[1]),
         ViewIndices(view.left, view.mirrored, picture.width, input_shape_[2]), pixels);
}

// The pixels at rows × columns, planes in network order.
void Transform::Gather(const Image& picture, const std::vector<int64_t>& rows,
                       const std::vector<int64_t>& columns, uint8_t* pixels) const {
  const int64_t step = picture.channels;
  for (int64_t c = 0; c < input_shape_[0]; ++c) {
    const int64_t from = step == 1 ? 0 : SourceChannel(c);
    for (const int64_t y : rows) {
      const uint8_t* row = picture.Row(y) + from;
      for (const int64_t x : columns) *pixels++ = row[x * step];
    }
  }
}

void Transform::Normalize(const uint8_t* pixels, float* input) const {
  const int64_t plane = input_shape_[1] * input_shape_[2];
  for (const std::array<float, 256>& table : tables_) {
    for (int64_t i = 0; i < plane; ++i) input[i] = table[pixels[i]];
    pixels += plane;
    input += plane;
  }
}

void Transform::Apply(Image image, const std::string& name, float* input) const {
  std::vector<uint8_t> pixels(static_cast<size_t>(pixel_count()));
  ToPixels(std::move(image), name, pixels.data());
  Normalize(pixels.data(), input);
}

void Transform::Normalize(const float* values, float* input) const {
  const int64_t plane = input_shape_[1] * input_shape_[2];
  for (int64_t c = 0; c < input_shape_[0]; ++c) {
    const double mean = Mean(c);
    const double std = Std(c);
    for (int64_t i = 0; i < plane; ++i) {
      input[i] = static_cast<float>((values[i] * options_.scale - mean) / std);
    }
    values += plane;
    input += plane;
  }
}

}  // namespace sparsify
