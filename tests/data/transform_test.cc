#include "sparsity/data/transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "image_files.h"
#include "sparsity/base/error.h"
#include "sparsity/data/resize.h"

namespace sparsify {
namespace {

std::vector<uint8_t> Pixels(const TransformOptions& options, const Shape& shape, const Image& image,
                            std::optional<int64_t> resolution = {}) {
  const Transform transform(options, shape, "data.transform", resolution);
  std::vector<uint8_t> pixels(static_cast<size_t>(transform.pixel_count()));
  transform.ToPixels(image, "a.jpg", pixels.data());
  return pixels;
}

std::string MessageOf(const TransformOptions& options, const Shape& shape,
                      const Image& image = Image(8, 8, 3), std::optional<int64_t> resolution = {}) {
  try {
    Pixels(options, shape, image, resolution);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Transform, PutsChannelsInPlanesOfTheNetworksOrder) {
  const Image image = NoiseImage(3, 5, 3, 1);
  for (const std::string color : {"rgb", "bgr"}) {
    const std::vector<uint8_t> pixels = Pixels({.color = color}, {3, 3, 5}, image);
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < 15; ++i) {
        EXPECT_EQ(pixels[c * 15 + i], image.pixels[3 * i + (color == "rgb" ? c : 2 - c)]);
      }
    }
  }
}

TEST(Transform, GrayIsTheLumaOfColour) {
  const Image image = NoiseImage(20, 20, 3, 2);
  const std::vector<uint8_t> gray = Pixels({.color = "gray"}, {1, 20, 20}, image);
  for (size_t i = 0; i < gray.size(); ++i) {
    const uint8_t* rgb = image.pixels.data() + 3 * i;
    EXPECT_NEAR(gray[i], 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2], 0.51);
  }
}

TEST(Transform, AGrayPictureIsRepeatedInEveryChannel) {
  const Image image = NoiseImage(4, 4, 1, 3);
  const std::vector<uint8_t> pixels = Pixels({.color = "rgb"}, {3, 4, 4}, image);
  for (size_t i = 0; i < 48; ++i) EXPECT_EQ(pixels[i], image.pixels[i % 16]);
}

// torchvision: offset = round((size − crop) / 2), half to even.
TEST(Transform, CropsFromTheMiddleAsTorchvision) {
  const std::pair<int64_t, int64_t> cases[] = {{4, 0}, {5, 0}, {6, 1}, {7, 2}, {8, 2}, {9, 2}};
  for (const auto& [size, offset] : cases) {
    const Image image = NoiseImage(size, 4, 1, 4);
    const std::vector<uint8_t> pixels =
        Pixels({.center_crop = 4, .color = "gray"}, {1, 4, 4}, image);
    EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(), image.Row(offset))) << size;
  }
}

TEST(Transform, ShortSideResizeKeepsTheAspectAndTruncates) {
  // 30×50 → short side 20: 20 × 33 (33.3); 50×30 → 33×20.
  for (const bool tall : {false, true}) {
    const Image image = tall ? NoiseImage(50, 30, 3, 5) : NoiseImage(30, 50, 3, 5);
    EXPECT_EQ(MessageOf({.resize = {20}}, {3, 7, 7}, image),
              tall ? "a.jpg: 50×30 pixels give 33×20, the network input is 7×7; set "
                     "data.transform.resize or center_crop"
                   : "a.jpg: 30×50 pixels give 20×33, the network input is 7×7; set "
                     "data.transform.resize or center_crop");
  }
  EXPECT_EQ(MessageOf({.resize = {20}, .center_crop = 20}, {3, 20, 20}, NoiseImage(30, 50, 3, 5)),
            "no error");
}

TEST(Transform, NormalizesByTheFormula) {
  const TransformOptions options{.scale = 1 / 255.0, .mean = {0.1, 0.2, 0.3}, .std = {0.5, 2, 3}};
  const Transform transform(options, {3, 16, 16}, "t");
  const Image image = NoiseImage(16, 16, 3, 6);
  std::vector<float> input(3 * 256);
  std::vector<float> from_floats(3 * 256);
  std::vector<float> values(image.pixels.begin(), image.pixels.end());
  transform.Normalize(image.pixels.data(), input.data());
  transform.Normalize(values.data(), from_floats.data());
  for (size_t i = 0; i < input.size(); ++i) {
    const size_t c = i / 256;
    const double expected = (image.pixels[i] / 255.0 - options.mean[c]) / options.std[c];
    EXPECT_NEAR(input[i], expected, 1e-6 * (1 + std::abs(expected)));
    EXPECT_EQ(input[i], from_floats[i]);
  }
}

// Planes of the crop × crop pixels from `top`, `left`.
std::vector<uint8_t> Planes(const Image& image, int64_t top, int64_t left, int64_t crop) {
  std::vector<uint8_t> pixels;
  for (int64_t c = 0; c < image.channels; ++c) {
    for (int64_t y = top; y < top + crop; ++y) {
      for (int64_t x = left; x < left + crop; ++x) {
        pixels.push_back(image.Row(y)[x * image.channels + c]);
      }
    }
  }
  return pixels;
}

TEST(Transform, AnotherResolutionIsTheWholeTransformInProportion) {
  const Image wide = NoiseImage(30, 50, 3, 7);
  // Short side 20 gives 20×33, of which 16×16 are taken: at 12 pixels 15×25 (24.75), of which
  // 12×12 are: 1.5 rows off the top (half to even: 2), 6.5 columns off the left (6).
  const TransformOptions short_side{.resize = {20}, .center_crop = 16};
  EXPECT_EQ(Pixels(short_side, {3, 16, 16}, wide, 12),
            Planes(ResizeBilinear(wide, 15, 25), 2, 6, 12));
  // Above the network's own: 30×50 (49.5) and 24×24.
  EXPECT_EQ(Pixels(short_side, {3, 16, 16}, wide, 24), Planes(wide, 3, 13, 24));
  // Both sides, without a crop; the network's input need not be square.
  EXPECT_EQ(Pixels({.resize = {16, 20}}, {3, 16, 20}, wide, 10),
            Planes(ResizeBilinear(wide, 10, 10), 0, 0, 10));
  // A crop alone: 30×50 becomes 15×25.
  EXPECT_EQ(Pixels({.center_crop = 16}, {3, 16, 16}, wide, 8),
            Planes(ResizeBilinear(wide, 15, 25), 4, 8, 8));
  // Pictures that had the network's size.
  const Image square = NoiseImage(14, 14, 1, 8);
  EXPECT_EQ(Pixels({.color = "gray"}, {1, 14, 14}, square, 7),
            Planes(ResizeBilinear(square, 7, 7), 0, 0, 7));
}

TEST(Transform, TheNetworksOwnResolutionChangesNothing) {
  const Image image = NoiseImage(31, 50, 3, 9);
  for (const TransformOptions& options :
       {TransformOptions{.resize = {20}, .center_crop = 16}, TransformOptions{.resize = {16, 16}},
        TransformOptions{.center_crop = 16}}) {
    EXPECT_EQ(Pixels(options, {3, 16, 16}, image, 16), Pixels(options, {3, 16, 16}, image));
  }
  EXPECT_FALSE(Transform({}, {3, 16, 16}, "t", 16).resizes());
  EXPECT_TRUE(Transform({}, {3, 16, 16}, "t", 15).resizes());
}

TEST(Transform, AtAnotherResolutionTheNetworksSizeIsStillAskedFor) {
  EXPECT_EQ(MessageOf({}, {3, 16, 16}, Image(8, 8, 3), 8),
            "a.jpg: 8×8 pixels give 8×8, the network input is 16×16; set data.transform.resize or "
            "center_crop");
  EXPECT_EQ(MessageOf({.resize = {8, 8}}, {3, 16, 16}, Image(8, 8, 3), 8),
            "data.transform.resize: gives 8×8, the network input is 16×16");
  EXPECT_EQ(MessageOf({.center_crop = 16}, {3, 16, 16}, Image(15, 20, 3), 8),
            "a.jpg: 15×20 pixels, too small for center_crop: 16; set data.transform.resize");
  EXPECT_EQ(MessageOf({}, {10}, Image(8, 8, 3), 8),
            "data.transform: the network input is [10], images need channels × height × width");
}

TEST(Transform, AppliesBothHalves) {
  const Transform transform({.resize = {8, 8}, .mean = {0.4}, .std = {2}}, {3, 8, 8}, "t");
  const Image image = NoiseImage(16, 12, 3, 6);
  std::vector<uint8_t> pixels(3 * 64);
  std::vector<float> expected(3 * 64);
  transform.ToPixels(image, "a", pixels.data());
  transform.Normalize(pixels.data(), expected.data());
  std::vector<float> input(3 * 64);
  transform.Apply(image, "a", input.data());
  EXPECT_EQ(input, expected);
}

TEST(Transform, OptionsThatCannotFitTheNetworkAreRefused) {
  EXPECT_EQ(MessageOf({}, {1, 28, 28}),
            "data.transform.color: \"rgb\" gives 3 channels, the network input [1,28,28] has 1; "
            "set color: gray");
  EXPECT_EQ(MessageOf({.color = "gray"}, {3, 28, 28}),
            "data.transform.color: \"gray\" gives 1 channels, the network input [3,28,28] has 3; "
            "set color: rgb or bgr");
  EXPECT_EQ(MessageOf({.mean = {1, 2}}, {3, 8, 8}),
            "data.transform.mean: 2 values, expected 1 or 3 (one a channel)");
  EXPECT_EQ(MessageOf({.std = {}}, {3, 8, 8}),
            "data.transform.std: 0 values, expected 1 or 3 (one a channel)");
  EXPECT_EQ(MessageOf({.std = {0}}, {3, 8, 8}), "data.transform.std: 0 must be above 0");
  EXPECT_EQ(MessageOf({.resize = {1, 2, 3}}, {3, 8, 8}),
            "data.transform.resize: 3 values, expected [height, width] or [short side]");
  EXPECT_EQ(MessageOf({.resize = {8, 9}}, {3, 8, 8}),
            "data.transform.resize: gives 8×9, the network input is 8×8");
  EXPECT_EQ(MessageOf({.center_crop = 224}, {3, 227, 227}),
            "data.transform.center_crop: gives 224×224, the network input is 227×227");
  EXPECT_EQ(MessageOf({}, {10}),
            "data.transform: the network input is [10], images need channels × height × width");
}

TEST(Transform, PicturesOfTheWrongSizeAreNamed) {
  EXPECT_EQ(MessageOf({}, {3, 8, 8}, Image(9, 8, 3)),
            "a.jpg: 9×8 pixels give 9×8, the network input is 8×8; set data.transform.resize or "
            "center_crop");
  EXPECT_EQ(MessageOf({.center_crop = 8}, {3, 8, 8}, Image(9, 7, 3)),
            "a.jpg: 9×7 pixels, too small for center_crop: 8; set data.transform.resize");
}

TEST(Transform, AnAbsurdAspectRatioIsRefused) {
  EXPECT_EQ(MessageOf({.resize = {100'000}, .center_crop = 8}, {3, 8, 8}, Image(1, 5000, 3)),
            "resize: 1×5000 would become 100000×500000000 pixels, at most 100000000 in all");
}

}  // namespace
}  // namespace sparsify
