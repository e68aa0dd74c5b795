#include "sparsity/data/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>

#include "image_files.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

// Triangle-filtered value at output position `out`, straight from the definition: every
// input pixel is weighed, in double, with nothing precomputed.
double Interpolate(const std::vector<double>& line, int64_t out_size, int64_t out) {
  const double scale = static_cast<double>(line.size()) / static_cast<double>(out_size);
  const double radius = std::max(1.0, scale);
  const double at = (static_cast<double>(out) + 0.5) * scale;
  double sum = 0;
  double weight_sum = 0;
  for (size_t in = 0; in < line.size(); ++in) {
    const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(in) + 0.5 - at) / radius);
    sum += weight * line[in];
    weight_sum += weight;
  }
  return sum / weight_sum;
}

// Columns, rounding to 8 bits, then rows.
std::vector<double> NaiveResize(const Image& image, int64_t height, int64_t width,
                                int64_t channel) {
  std::vector<double> middle(static_cast<size_t>(image.height * width));
  for (int64_t y = 0; y < image.height; ++y) {
    std::vector<double> row;
    for (int64_t x = 0; x < image.width; ++x) {
      row.push_back(image.Row(y)[x * image.channels + channel]);
    }
    for (int64_t x = 0; x < width; ++x) {
      middle[static_cast<size_t>(y * width + x)] = std::round(Interpolate(row, width, x));
    }
  }
  std::vector<double> result(static_cast<size_t>(height * width));
  for (int64_t x = 0; x < width; ++x) {
    std::vector<double> column;
    for (int64_t y = 0; y < image.height; ++y) {
      column.push_back(middle[static_cast<size_t>(y * width + x)]);
    }
    for (int64_t y = 0; y < height; ++y) {
      result[static_cast<size_t>(y * width + x)] = Interpolate(column, height, y);
    }
  }
  return result;
}

using Sizes = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t>;  // h, w → h, w, channels

class ResizeTest : public ::testing::TestWithParam<Sizes> {};

// Both roundings are of sums that fixed-point weights move by less than 2^-22 · 255 · taps;
// where the middle pass lands on the other side of a half, the result moves by at most 1.
TEST_P(ResizeTest, AgreesWithTheDefinition) {
  const auto [in_height, in_width, height, width, channels] = GetParam();
  const Image image = NoiseImage(in_height, in_width, channels, 11);
  const Image resized = ResizeBilinear(image, height, width);
  ASSERT_EQ(resized.height, height);
  ASSERT_EQ(resized.width, width);
  int64_t off_by_one = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const std::vector<double> expected = NaiveResize(image, height, width, c);
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const double exact = expected[static_cast<size_t>(y * width + x)];
        const double error = std::abs(resized.Row(y)[x * channels + c] - exact);
        ASSERT_LE(error, 1.01) << "at " << y << "," << x << "," << c;
        if (error > 0.5001) ++off_by_one;
      }
    }
  }
  EXPECT_LE(off_by_one, height * width * channels / 100);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ResizeTest,
                         ::testing::Values(Sizes{160, 160, 224, 224, 3}, Sizes{50, 37, 23, 37, 1},
                                           Sizes{31, 64, 31, 17, 3}, Sizes{64, 48, 9, 97, 3},
                                           Sizes{5, 7, 1, 1, 1}, Sizes{1, 1, 6, 4, 3},
                                           Sizes{100, 3, 33, 8, 1}));

// Pillow 13.0.0: Image.fromarray(uint8 [[0, 10, 200, 255, 3]]).resize((w, 1), BILINEAR).
TEST(Resize, EqualsPillowOnARow) {
  Image row(1, 5, 1);
  row.pixels = {0, 10, 200, 255, 3};
  EXPECT_EQ(ResizeBilinear(row, 1, 3).pixels, (std::vector<uint8_t>{4, 170, 111}));
  EXPECT_EQ(ResizeBilinear(row, 1, 8).pixels,
            (std::vector<uint8_t>{0, 4, 22, 141, 217, 252, 113, 3}));
}

TEST(Resize, TheSameSizeIsACopy) {
  const Image image = NoiseImage(6, 9, 3, 1);
  EXPECT_EQ(ResizeBilinear(image, 6, 9).pixels, image.pixels);
}

TEST(Resize, RefusesOtherChannelCounts) {
  try {
    ResizeBilinear(Image(2, 2, 4), 1, 1);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "resize: 4 channels, expected 1 or 3");
  }
}

}  // namespace
}  // namespace sparsify
