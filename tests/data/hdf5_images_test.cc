#include "sparsity/data/hdf5_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image_files.h"
#include "sparsity/base/error.h"
#include "sparsity/data/data_options.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Hdf5ImagesTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/d.h5"; }

  void WriteBytes(const Shape& shape, const std::vector<uint8_t>& pixels,
                  const std::vector<int64_t>& labels) {
    Hdf5File file = Hdf5File::Create(path());
    file.WriteBytes("/images", shape, pixels);
    if (!labels.empty()) file.WriteInts("/labels", {std::ssize(labels)}, labels);
    file.Commit();
  }

  void WriteFloats(const Shape& shape, const std::vector<float>& values) {
    Hdf5File file = Hdf5File::Create(path());
    file.WriteFloats("/images", shape, values);
    file.WriteInts("/labels", {shape[0], 1},
                   std::vector<int64_t>(static_cast<size_t>(shape[0]), 4));
    file.Commit();
  }

  std::unique_ptr<Dataset> Open(const TransformOptions& transform, const Shape& input,
                                const SourceOptions& source = {},
                                std::optional<int64_t> resolution = {}) {
    SourceOptions hdf5 = source;
    hdf5.type = "hdf5";
    hdf5.path = path();
    return OpenDataset(hdf5, transform, input, "data.evaluation", resolution);
  }

  std::string MessageOf(const TransformOptions& transform, const Shape& input,
                        const SourceOptions& source = {}) {
    return ErrorOf([&] { Open(transform, input, source); });
  }

  template <class Body>
  std::string ErrorOf(const Body& body) {
    try {
      body();
    } catch (const Error& error) {
      const std::string message = error.what();
      return message.starts_with(path()) ? message.substr(path().size()) : message;
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

// The same two pictures stored both ways must give the same pixels, in memory or not.
TEST_F(Hdf5ImagesTest, ChannelsMayComeFirstOrLast) {
  const Image first = NoiseImage(4, 5, 3, 1);
  const Image second = NoiseImage(4, 5, 3, 2);
  std::vector<uint8_t> last(first.pixels);
  last.insert(last.end(), second.pixels.begin(), second.pixels.end());
  std::vector<uint8_t> planes;
  for (const Image* image : {&first, &second}) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t i = 0; i < 20; ++i) planes.push_back(image->pixels[3 * i + c]);
    }
  }
  for (const bool channels_last : {false, true}) {
    WriteBytes(channels_last ? Shape{2, 4, 5, 3} : Shape{2, 3, 4, 5}, channels_last ? last : planes,
               {7, 0});
    for (const int64_t resident : {0, 1000}) {
      const Hdf5Images images(Hdf5File::Open(path()), resident);
      ASSERT_EQ(images.size(), 2);
      EXPECT_EQ(images.Read(0).pixels, first.pixels);
      EXPECT_EQ(images.Read(1).pixels, second.pixels);
      EXPECT_EQ(images.LabelOf(0), 7);
      EXPECT_EQ(images.NameOf(1), path() + ":/images[1]");
    }
  }
}

TEST_F(Hdf5ImagesTest, BytesAreTransformedLikePictures) {
  WriteBytes({2, 8, 8}, std::vector<uint8_t>(128, 51), {});
  const auto dataset =
      Open({.resize = {4, 4}, .color = "rgb", .mean = {0.1}, .std = {0.5}}, {3, 4, 4});
  std::vector<float> image(48);
  EXPECT_EQ(dataset->Load(1, image.data()), -1);
  for (const float value : image) EXPECT_NEAR(value, (0.2 - 0.1) / 0.5, 1e-6);
}

TEST_F(Hdf5ImagesTest, FloatsAreNormalizedOnly) {
  WriteFloats({2, 3, 1, 2}, {1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6});
  for (const int64_t cache_mb : {0, 1}) {
    const auto dataset = Open({.color = "bgr", .scale = 2, .mean = {1}, .std = {2}}, {3, 1, 2},
                              {.cache_mb = cache_mb});
    std::vector<float> image(6);
    EXPECT_EQ(dataset->Load(0, image.data()), 4);
    EXPECT_THAT(image, ElementsAre(4.5, 5.5, 2.5, 3.5, 0.5, 1.5));
  }
  const auto one = Open({}, {3, 1, 2}, {.count = 1});
  EXPECT_EQ(one->size(), 1);
  EXPECT_EQ(one->NameOf(0), path() + ":/images[0]");
}

TEST_F(Hdf5ImagesTest, FloatsMayHaveChannelsLast) {
  WriteFloats({1, 2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const auto dataset = Open({.scale = 1}, {3, 2, 2});
  std::vector<float> image(12);
  dataset->Load(0, image.data());
  EXPECT_THAT(image, ElementsAre(1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12));
}

TEST_F(Hdf5ImagesTest, SaysWhatDoesNotFit) {
  WriteFloats({2, 1, 4, 4}, std::vector<float>(32, 1));
  EXPECT_EQ(MessageOf({.resize = {2, 2}, .color = "gray"}, {1, 2, 2}),
            ":/images: holds values that are no 8-bit pixels; they cannot be resized or cropped, "
            "remove resize, center_crop and training.resolution");
  EXPECT_EQ(ErrorOf([&] {
              Open({.color = "gray"}, {1, 4, 4}, {}, 2);
            }),
            ":/images: holds values that are no 8-bit pixels; they cannot be resized or cropped, "
            "remove resize, center_crop and training.resolution");
  EXPECT_EQ(Open({.color = "gray"}, {1, 4, 4}, {}, 4)->image_shape(), Shape({1, 4, 4}));
  EXPECT_EQ(MessageOf({.color = "gray"}, {1, 5, 4}),
            ":/images: channels × height × width is [1,4,4], the network input is [1,5,4]");
  EXPECT_EQ(MessageOf({.color = "gray"}, {1, 4, 4}, {.labels = "x"}),
            "data.evaluation.labels: does not apply to hdf5, whose labels lie in the same file");
  WriteBytes({2, 4, 4, 5}, std::vector<uint8_t>(160, 1), {});
  EXPECT_EQ(MessageOf({}, {3, 4, 4}),
            ":/images: shape [2,4,4,5], expected N×H×W, N×H×W×C or N×C×H×W with C = 1 or 3");
  WriteBytes({2, 4, 4}, std::vector<uint8_t>(32, 1), {1, 2, 3});
  EXPECT_EQ(MessageOf({}, {3, 4, 4}),
            ":/labels: shape [3], expected one label for each of 2 images");
  WriteBytes({2, 4, 4}, std::vector<uint8_t>(32, 1), {1, -2});
  EXPECT_EQ(MessageOf({}, {3, 4, 4}), ":/labels[1]: label -2 is not a class number (0, 1, …)");
  Hdf5File empty = Hdf5File::Create(path());
  empty.WriteInts("/labels", {1}, std::vector<int64_t>{1});
  empty.Commit();
  EXPECT_THAT(MessageOf({}, {3, 4, 4}),
              HasSubstr(": holds no dataset \"images\"; expected images"));
}

}  // namespace
}  // namespace sparsify
