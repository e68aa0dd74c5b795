#include "sparsity/data/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "image_files.h"
#include "sparsity/base/parallel.h"
#include "sparsity/data/image_dataset.h"
#include "sparsity/data/resize.h"

namespace sparsify {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// How often each first index comes up over positions spread evenly.
std::map<int64_t, int> Offsets(int64_t size, int64_t crop, int positions) {
  std::map<int64_t, int> counts;
  for (int k = 0; k < positions; ++k) {
    ++counts[ViewIndices((k + 0.5) / positions, false, size, crop).back() - crop + 1];
  }
  return counts;
}

TEST(ViewIndices, EveryOffsetIsEquallyLikely) {
  std::map<int64_t, int> expected;
  for (int64_t offset = 0; offset <= 5; ++offset) expected[offset] = 100;
  EXPECT_EQ(Offsets(15, 10, 600), expected);
}

TEST(ViewIndices, GoFromEndToEndWithinThePicture) {
  EXPECT_THAT(ViewIndices(0, false, 7, 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ViewIndices(0.999999, false, 7, 4), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(ViewIndices(1, false, 7, 4), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(ViewIndices(0.5, true, 7, 4), ElementsAre(5, 4, 3, 2));
}

TEST(ViewIndices, WithNothingToSpareTheEdgeIsRepeated) {
  EXPECT_THAT(ViewIndices(0, false, 8, 8), ElementsAre(0, 0, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(ViewIndices(0.5, false, 8, 8), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(ViewIndices(0.99, false, 8, 8), ElementsAre(1, 2, 3, 4, 5, 6, 7, 7));
  EXPECT_THAT(ViewIndices(0, true, 8, 8), ElementsAre(6, 5, 4, 3, 2, 1, 0, 0));
  EXPECT_THAT(ViewIndices(0, false, 16, 16),
              ElementsAre(0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13));
  EXPECT_THAT(ViewIndices(0, false, 4, 4), ElementsAre(0, 1, 2, 3));  // 4/8 < 1
}

TEST(Augmentation, DrawsTheSameForTheSameSeed) {
  for (uint64_t stream = 0; stream < 20; ++stream) {
    Random a(7, stream);
    Random b(7, stream);
    const View x = Augmentation{}.Draw(a);
    const View y = Augmentation{}.Draw(b);
    EXPECT_EQ(x.top, y.top);
    EXPECT_EQ(x.left, y.left);
    EXPECT_EQ(x.mirrored, y.mirrored);
    EXPECT_EQ(a.state(), b.state());
  }
}

TEST(Augmentation, DrawsEverywhereAndMirrorsHalf) {
  Random random(3);
  double top = 0;
  double left = 0;
  double product = 0;
  int mirrored = 0;
  constexpr int kDraws = 4000;
  for (int k = 0; k < kDraws; ++k) {
    const View view = Augmentation{}.Draw(random);
    ASSERT_TRUE(view.top >= 0 && view.top < 1 && view.left >= 0 && view.left < 1);
    top += view.top;
    left += view.left;
    product += view.top * view.left;
    mirrored += view.mirrored ? 1 : 0;
  }
  EXPECT_NEAR(top / kDraws, 0.5, 0.02);
  EXPECT_NEAR(left / kDraws, 0.5, 0.02);
  EXPECT_NEAR(product / kDraws, 0.25, 0.02);  // independent
  EXPECT_NEAR(mirrored, kDraws / 2, 150);
}

TEST(Augmentation, WhatIsSwitchedOffTakesNumbersButChangesNothing) {
  Random all(5);
  Random none(5);
  for (int k = 0; k < 10; ++k) {
    Augmentation{}.Draw(all);
    const View view = Augmentation{.crop = false, .flip = false}.Draw(none);
    EXPECT_EQ(view.top, 0.5);
    EXPECT_EQ(view.left, 0.5);
    EXPECT_FALSE(view.mirrored);
  }
  EXPECT_EQ(all.state(), none.state());
}

TEST(ApplyView, ShiftsAndMirrorsEveryPlane) {
  const Shape shape = {2, 8, 16};
  std::vector<float> planes(256);
  for (size_t i = 0; i < planes.size(); ++i) planes[i] = static_cast<float>(i);
  std::vector<float> result(256, -1);
  ApplyView({.top = 0, .left = 0.99, .mirrored = true}, shape, planes.data(), result.data());
  for (int64_t c = 0; c < 2; ++c) {
    for (int64_t y = 0; y < 8; ++y) {
      for (int64_t x = 0; x < 16; ++x) {
        const int64_t from_y = std::max<int64_t>(0, y - 1);
        const int64_t from_x = std::min<int64_t>(15, 15 - x + 2);
        ASSERT_EQ(result[static_cast<size_t>(c * 128 + y * 16 + x)],
                  planes[static_cast<size_t>(c * 128 + from_y * 16 + from_x)]);
      }
    }
  }
}

// Noise pictures of several sizes; counts how often each was decoded. Number 3 is broken.
class NoiseSource : public SampleSource {
 public:
  explicit NoiseSource(std::vector<int>& reads) : reads_(reads) {}
  int64_t size() const override { return 4; }
  int64_t LabelOf(int64_t i) const override { return 20 + i; }
  Image Read(int64_t i) const override {
    if (i == 3) Fail(NameOf(i), "is cut off");
    ++reads_[static_cast<size_t>(i)];
    return Picture(i);
  }
  std::string NameOf(int64_t i) const override { return fmt::format("picture {}", i); }
  static Image Picture(int64_t i) {
    return NoiseImage(9 + i, 12, i == 2 ? 1 : 3, static_cast<uint64_t>(i));
  }

 private:
  std::vector<int>& reads_;
};

class ImageDatasetViewTest : public ::testing::Test {
 protected:
  ImageDataset Make(int64_t cache_bytes) {
    const TransformOptions transform = {.center_crop = 6, .color = "bgr", .scale = 1};
    return {std::make_unique<NoiseSource>(reads_), Transform(transform, {3, 6, 6}, "data"),
            ImageDatasetOptions{.skip_broken = true, .cache_bytes = cache_bytes, .selection = {}}};
  }
  std::vector<int> reads_ = std::vector<int>(4, 0);
};

TEST_F(ImageDatasetViewTest, ShowsAnyPartOfTheWholePicture) {
  const ImageDataset dataset = Make(0);
  Random random(2);
  std::vector<float> image(108);
  for (int k = 0; k < 60; ++k) {
    const int64_t i = k % 3;
    const Image picture = NoiseSource::Picture(i);
    const View view = Augmentation{}.Draw(random);
    EXPECT_EQ(dataset.LoadView(i, view, image.data()), 20 + i);
    const auto top = static_cast<int64_t>(view.top * static_cast<double>(picture.height - 5));
    const auto left = static_cast<int64_t>(view.left * 7);
    for (int64_t c = 0; c < 3; ++c) {
      for (int64_t y = 0; y < 6; ++y) {
        for (int64_t x = 0; x < 6; ++x) {
          const int64_t column = left + (view.mirrored ? 5 - x : x);
          const int64_t channel = picture.channels == 1 ? 0 : 2 - c;
          ASSERT_EQ(image[static_cast<size_t>(c * 36 + y * 6 + x)],
                    picture.Row(top + y)[column * picture.channels + channel]);
        }
      }
    }
  }
}

TEST_F(ImageDatasetViewTest, LoadStaysTheCentre) {
  const ImageDataset dataset = Make(0);
  std::vector<float> centre(108);
  std::vector<float> view(108);
  dataset.Load(1, centre.data());  // 10×12: 4 and 6 pixels to spare
  dataset.LoadView(1, {}, view.data());
  EXPECT_EQ(centre, view);
}

TEST_F(ImageDatasetViewTest, PicturesAreDecodedOnceWhileMemoryLasts) {
  // 108 bytes for each of 4 inputs come first; 324 and 360 for pictures 0 and 1.
  const ImageDataset dataset = Make(4 * 108 + 324 + 359);
  std::vector<float> image(108);
  for (int k = 0; k < 5; ++k) {
    for (const int64_t i : {0, 1, 2}) dataset.LoadView(i, {}, image.data());
  }
  EXPECT_THAT(reads_, ElementsAre(1, 5, 1, 0));  // picture 2 is grey: 132 bytes
  for (int k = 0; k < 5; ++k) dataset.Load(1, image.data());
  EXPECT_EQ(reads_[1], 6);
}

TEST_F(ImageDatasetViewTest, ABatchOfViewsIsTheSameOnAnyThreads) {
  const ImageDataset dataset = Make(1 << 20);
  std::vector<int64_t> indices;
  std::vector<View> views;
  Random random(9);
  for (int64_t k = 0; k < 40; ++k) {
    indices.push_back(k % 4);
    views.push_back(Augmentation{}.Draw(random));
  }
  Batch one;
  Batch several;
  SetThreads(1);
  LoadBatch(dataset, indices, views, one);
  SetThreads(4);
  LoadBatch(dataset, indices, views, several);
  SetThreads(0);
  EXPECT_EQ(one.images.shape(), Shape({30, 3, 6, 6}));  // the broken one is absent
  EXPECT_THAT(one.images.values(), ::testing::ElementsAreArray(several.images.values()));
  EXPECT_EQ(one.indices, several.indices);
  EXPECT_EQ(one.labels, several.labels);
}

TEST_F(ImageDatasetViewTest, ResizedCropsAreOfTheArea) {
  const ImageDataset dataset = Make(0);
  // Half of each side of picture 1, 10×12: rows 5 … 9, columns 3 … 8.
  const View view = {.top = 0.99, .left = 0.5, .mirrored = true, .area = 0.25, .aspect = 1.2};
  const Image picture = NoiseSource::Picture(1);
  Image part(5, 6, 3);
  for (int64_t y = 0; y < 5; ++y) {
    std::copy_n(picture.Row(5 + y) + 3 * 3, 18, part.Row(y));
  }
  const Image resized = ResizeBilinear(part, 6, 6);
  std::vector<float> image(108);
  dataset.LoadView(1, view, image.data());
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < 6; ++y) {
      for (int64_t x = 0; x < 6; ++x) {
        EXPECT_EQ(image[static_cast<size_t>(c * 36 + y * 6 + x)],
                  resized.Row(y)[(5 - x) * 3 + 2 - c]);
      }
    }
  }
}

TEST(CropPicture, ColoursFollowTheFactors) {
  Image picture(2, 2, 3);
  picture.pixels = {10, 20, 30, 200, 100, 50, 0, 0, 0, 250, 250, 250};
  const auto first = [&](const View& view) {
    const Image shown = CropPicture(picture, view, 2, 2);
    return std::vector<int>(shown.pixels.begin(), shown.pixels.begin() + 6);
  };
  const View none = {};
  EXPECT_THAT(first({.top = 0.5, .left = 0.5}), ElementsAre(10, 20, 30, 200, 100, 50));
  EXPECT_FALSE(none.ChangesColors());
  EXPECT_THAT(first({.brightness = 1.3}), ElementsAre(13, 26, 39, 255, 130, 65));
  EXPECT_THAT(first({.brightness = 0}), Each(0));
  // Greys (ITU-R 601): 18.15, 124.2, 0, 250; their mean is 98.09.
  EXPECT_THAT(first({.contrast = 0}), Each(98));
  EXPECT_THAT(first({.contrast = 0.5}), ElementsAre(54, 59, 64, 149, 99, 74));
  EXPECT_THAT(first({.saturation = 0}), ElementsAre(18, 18, 18, 124, 124, 124));
  EXPECT_THAT(first({.saturation = 0.5}), ElementsAre(14, 19, 24, 162, 112, 87));
}

TEST(Augmentation, ResizedCropsSpreadOverAreasAndSides) {
  const Augmentation augmentation = {.min_area = 0.25, .brightness = 0.4};
  double least = 1;
  double most = 0;
  double narrow = 1;
  double wide = 1;
  for (uint64_t stream = 0; stream < 2000; ++stream) {
    Random random(3, stream);
    const View view = augmentation.Draw(random);
    least = std::min(least, view.area);
    most = std::max(most, view.area);
    narrow = std::min(narrow, view.aspect);
    wide = std::max(wide, view.aspect);
    EXPECT_GE(view.brightness, 0.6);
    EXPECT_LE(view.brightness, 1.4);
    EXPECT_EQ(view.contrast, 1);
  }
  EXPECT_NEAR(least, 0.25, 0.01);
  EXPECT_NEAR(most, 1, 0.01);
  EXPECT_NEAR(narrow, 0.75, 0.01);
  EXPECT_NEAR(wide, 4.0 / 3, 0.01);
}

TEST(ApplyView, ResizesPlanesBilinearly) {
  // A plane that rises by 1 a column and 10 a row: so does every crop, less steeply.
  std::vector<float> plane;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) plane.push_back(static_cast<float>(10 * y + x));
  }
  std::vector<float> result(64);
  ApplyView({.top = 0, .left = 0.99, .area = 0.25}, {1, 8, 8}, plane.data(), result.data());
  for (int y = 1; y < 7; ++y) {
    for (int x = 1; x < 7; ++x) {
      EXPECT_NEAR(result[static_cast<size_t>(8 * y + x)],
                  10 * (0.5 * y - 0.25) + 4 + 0.5 * x - 0.25, 1e-5);
    }
  }
}

// A dataset that knows no more than its inputs.
class Ramp : public Dataset {
 public:
  int64_t size() const override { return 2; }
  Shape image_shape() const override { return {1, 1, 8}; }
  int64_t Load(int64_t i, float* image) const override {
    for (int64_t x = 0; x < 8; ++x) image[x] = static_cast<float>(100 * i + x);
    return i;
  }
  std::string NameOf(int64_t i) const override { return fmt::format("ramp {}", i); }
};

TEST(LoadView, OfOtherDatasetsShiftsWhatLoadGives) {
  Batch batch;
  LoadBatch(Ramp(), {1, 0}, {{.left = 0}, {.left = 0.5, .mirrored = true}}, batch);
  EXPECT_THAT(batch.images.values(), ElementsAre(100, 100, 101, 102, 103, 104, 105, 106,  //
                                                 7, 6, 5, 4, 3, 2, 1, 0));
  EXPECT_THAT(batch.labels, ElementsAre(1, 0));
}

TEST(LoadView, OfOtherDatasetsKnowsNoColours) {
  Batch batch;
  try {
    LoadBatch(Ramp(), {1}, {View{.contrast = 2}}, batch);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "data: colour jitter needs pictures (type: images or idx); switch it off");
  }
}

TEST(LoadView, NeedsOneViewASample) {
  Batch batch;
  try {
    LoadBatch(Ramp(), {1, 0}, {View{}}, batch);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "dataset: 1 views given for 2 samples");
  }
}

}  // namespace
}  // namespace sparsify
