// From a decoded picture to a network input: colour, resize, centre crop, normalise.
//
// The work is split in two so that the pixels in between (8 bits, a quarter of the network
// input) can be kept in memory: ToPixels is the expensive half, Normalize the cheap one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/data/augment.h"
#include "sparsity/data/data_options.h"
#include "sparsity/data/image.h"
#include "sparsity/tensor/shape.h"

namespace sparsify {

class Transform {
 public:
  /// `network_shape` is the network's C×H×W. Throws a usage Error (as `key`.color …) when the
  /// options cannot lead to it whatever the picture. With a `resolution` the inputs are
  /// C×resolution×resolution instead, and what the options say of sizes holds in proportion.
  Transform(const TransformOptions& options, const Shape& network_shape, const std::string& key,
            std::optional<int64_t> resolution = {});

  /// Pixels of one network input, planes in network order (C×H×W bytes):
  /// 1. colour: `gray` of a colour picture is the ITU-R 601 luma
  ///    (19595 R + 38470 G + 7471 B + 32768) >> 16; a grey picture is repeated in all three
  ///    channels for rgb and bgr;
  /// 2. resize to [h, w], or so that the shorter side is [short] (the other side is
  ///    truncated to an integer, as torchvision does); with a resolution each side is that
  ///    times resolution / the network's side, rounded, in one step;
  /// 3. centre crop; half a pixel goes to the even offset, as torchvision does.
  /// Throws Error when the size would not be the network's, saying both.
  void ToPixels(Image image, const std::string& name, uint8_t* pixels) const;
  /// Steps 1 and 2 of ToPixels, with its check.
  Image ToPicture(Image image, const std::string& name) const;
  /// Step 3 at another place: `view` of what ToPicture gave.
  void CropView(const Image& picture, const View& view, uint8_t* pixels) const;

  /// input = (pixel · scale − mean) / std, each value rounded once to float.
  void Normalize(const uint8_t* pixels, float* input) const;
  /// The same for values that are not 8-bit pixels.
  void Normalize(const float* values, float* input) const;

  /// ToPixels and Normalize: a picture becomes a network input of pixel_count() floats.
  void Apply(Image image, const std::string& name, float* input) const;

  /// Which of red 0, green 1, blue 2 the network's channel is.
  int64_t SourceChannel(int64_t channel) const {
    return options_.color == "bgr" ? 2 - channel : channel;
  }

  const Shape& input_shape() const { return input_shape_; }
  /// Bytes of one ToPixels result.
  int64_t pixel_count() const { return input_shape_.NumElements(); }
  bool resizes() const {
    return !options_.resize.empty() || options_.center_crop.has_value() ||
           input_shape_ != network_shape_;
  }

 private:
  struct Size {
    int64_t height;
    int64_t width;
  };

  void CheckOptions() const;
  Size PictureSize(const Image& image, const std::string& name) const;
  void Gather(const Image& picture, const std::vector<int64_t>& rows,
              const std::vector<int64_t>& columns, uint8_t* pixels) const;
  double Mean(int64_t channel) const;
  double Std(int64_t channel) const;

  TransformOptions options_;
  Shape network_shape_;
  Shape input_shape_;  // of another resolution, or the same
  std::string key_;
  std::vector<std::array<float, 256>> tables_;  // one a channel: pixel → input
};

}  // namespace sparsify
