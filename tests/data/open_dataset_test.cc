#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "image_files.h"
#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/data/data_options.h"
#include "sparsity/data/resize.h"

namespace sparsify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kKey = "data.evaluation";

class OpenDatasetTest : public ::testing::Test {
 protected:
  // `count` pictures of one colour each, of class i % classes; those in `broken` are cut off.
  void AddImages(int64_t count, int64_t classes, const std::vector<int64_t>& broken = {}) {
    std::string labels = "file,label\n";
    for (int64_t i = 0; i < count; ++i) {
      Image image(4, 4, 1);
      std::fill(image.pixels.begin(), image.pixels.end(), static_cast<uint8_t>(i));
      std::string bytes = EncodePng(image);
      if (std::find(broken.begin(), broken.end(), i) != broken.end()) bytes.resize(40);
      const std::string name = fmt::format("{:03}.png", i);
      folder_.Add(name, bytes);
      labels += fmt::format("{},{}\n", name, i % classes);
    }
    folder_.Add("labels.csv", labels);
  }

  std::unique_ptr<Dataset> Open(SourceOptions source) {
    if (source.path.empty()) source.path = folder_.path();
    return OpenDataset(source, {.color = "gray", .scale = 1}, {1, 4, 4}, kKey);
  }

  std::string MessageOf(const SourceOptions& source) {
    try {
      Open(source);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  // First float of every sample that loads.
  static std::vector<float> Values(const Dataset& dataset) {
    Batch batch;
    LoadBatch(dataset, 0, dataset.size(), batch);
    std::vector<float> values;
    for (size_t i = 0; i < batch.labels.size(); ++i) {
      values.push_back(batch.images[static_cast<int64_t>(i) * 16]);
    }
    return values;
  }

  TemporaryFolder folder_;
};

TEST_F(OpenDatasetTest, OpensAFolder) {
  AddImages(5, 3);
  const auto dataset = Open({});
  EXPECT_EQ(dataset->size(), 5);
  EXPECT_EQ(dataset->image_shape(), Shape({1, 4, 4}));
  EXPECT_THAT(Values(*dataset), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(dataset->NameOf(3), folder_.path() + "/003.png");
}

TEST_F(OpenDatasetTest, ViewsAreOfTheResolutionThatIsAskedFor) {
  const Image picture = NoiseImage(9, 12, 3, 4);
  folder_.Add("a.png", EncodePng(picture));
  folder_.Add("labels.csv", "file,label\na.png,3\n");
  const TransformOptions transform{.center_crop = 6, .scale = 1};
  // 9×12 becomes 6×8, of which 4×4 are shown: 2 rows and 4 columns to spare.
  const auto dataset = OpenDataset({.path = folder_.path()}, transform, {3, 6, 6}, kKey, 4);
  EXPECT_EQ(dataset->image_shape(), Shape({3, 4, 4}));
  const Image resized = ResizeBilinear(picture, 6, 8);
  Batch batch;
  LoadBatch(*dataset, {0, 0},
            {View{.top = 0.9, .left = 0.5, .mirrored = true}, View{.area = 1, .aspect = 8.0 / 6}},
            batch);
  EXPECT_EQ(batch.images.shape(), Shape({2, 3, 4, 4}));
  const Image whole = ResizeBilinear(resized, 4, 4);
  for (int64_t i = 0; i < 48; ++i) {
    const int64_t c = i / 16;
    const int64_t y = i / 4 % 4;
    const int64_t x = i % 4;
    EXPECT_EQ(batch.images[i], resized.Row(2 + y)[(2 + 3 - x) * 3 + c]);
    EXPECT_EQ(batch.images[48 + i], whole.Row(y)[x * 3 + c]);
  }
}

TEST_F(OpenDatasetTest, CountIsSpreadEvenly) {
  AddImages(10, 10);
  EXPECT_THAT(Values(*Open({.count = 4})), ElementsAre(0, 2, 5, 7));
  EXPECT_EQ(Values(*Open({.count = 10})).size(), 10U);
  EXPECT_EQ(MessageOf({.count = 11}), "data.evaluation.count: 11, only 10 samples exist");
}

TEST_F(OpenDatasetTest, ACountThatMissesMostClassesIsWarnedAbout) {
  AddImages(40, 10);
  const LogCapture log;
  Open({.count = 4});  // 0, 10, 20, 30: all of class 0
  EXPECT_TRUE(
      log.Contains("data.evaluation.count: the 4 evenly spread samples come from only 1 of "
                   "10 classes; choose another count"));
}

TEST_F(OpenDatasetTest, CachedPixelsNeedNoFile) {
  AddImages(3, 3);
  for (const int64_t cache_mb : {1, 0}) {
    const auto dataset = Open({.cache_mb = cache_mb});
    const std::vector<float> first = Values(*dataset);
    std::filesystem::rename(folder_.path() + "/001.png", folder_.path() + "/gone.png");
    if (cache_mb > 0) {
      EXPECT_EQ(Values(*dataset), first);
    } else {
      EXPECT_THROW(Values(*dataset), Error);
    }
    std::filesystem::rename(folder_.path() + "/gone.png", folder_.path() + "/001.png");
  }
}

TEST_F(OpenDatasetTest, ABrokenImageStopsTheRun) {
  AddImages(3, 3, {2});
  const auto dataset = Open({});
  try {
    Values(*dataset);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              folder_.path() +
                  "/002.png: broken PNG: the file ends early; set "
                  "data.evaluation.on_error: skip to leave broken images out");
  }
}

TEST_F(OpenDatasetTest, BrokenImagesAreSkippedAndTheFirstNamedOnce) {
  AddImages(12, 3, {0, 3, 4, 5, 7, 8, 9});
  std::filesystem::remove(folder_.path() + "/010.png");
  const LogCapture log;
  const auto dataset = Open({.on_error = "skip"});
  EXPECT_EQ(dataset->size(), 12);
  EXPECT_THAT(Values(*dataset), ElementsAre(1, 2, 6, 11));
  EXPECT_THAT(Values(*dataset), ElementsAre(1, 2, 6, 11));
  ASSERT_EQ(log.lines().size(), 6U);
  EXPECT_EQ(log.lines()[0], "warning: data.evaluation: skipped: " + folder_.path() +
                                "/000.png: broken PNG: the file ends early");
  EXPECT_EQ(log.lines()[5],
            "warning: data.evaluation: skipped: more broken images, counted but not named");
}

TEST_F(OpenDatasetTest, NothingButBrokenImagesIsAnError) {
  AddImages(2, 2, {0, 1});
  const LogCapture log;
  EXPECT_EQ(MessageOf({.on_error = "skip"}), "data.evaluation: all 2 images are broken");
}

TEST_F(OpenDatasetTest, AWrongSizeIsFoundOnOpeningEvenUnderSkip) {
  AddImages(2, 2);
  SourceOptions source{.path = folder_.path(), .on_error = "skip"};
  try {
    OpenDataset(source, {.color = "gray"}, {1, 5, 5}, kKey);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("000.png: 4×4 pixels give 4×4, the network input is 5×5"));
  }
}

TEST_F(OpenDatasetTest, OpensIdx) {
  const std::string path =
      folder_.Add("a-images-idx3-ubyte", IdxBytes({2, 4, 4}, std::vector<uint8_t>(32, 9)));
  folder_.Add("a-labels-idx1-ubyte", IdxBytes({2}, {1, 0}));
  EXPECT_THAT(Values(*Open({.type = "idx", .path = path})), ElementsAre(9, 9));
}

TEST_F(OpenDatasetTest, ThePathAndTypeMustBeGiven) {
  EXPECT_EQ(MessageOf({.type = "tar", .path = "x"}),
            "data.evaluation.type: unknown \"tar\"; known: images, idx, hdf5");
  try {
    OpenDataset({}, {.color = "gray"}, {1, 4, 4}, kKey);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "data.evaluation.path: is missing");
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
  }
}

}  // namespace
}  // namespace sparsify
