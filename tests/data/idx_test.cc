#include "sparsity/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <numeric>

#include "image_files.h"
#include "sparsity/base/error.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";

std::vector<uint8_t> Counting(size_t count) {
  std::vector<uint8_t> values(count);
  std::iota(values.begin(), values.end(), 1);
  return values;
}

class IdxTest : public ::testing::Test {
 protected:
  std::string MessageOf(const std::string& images, const std::string& labels) {
    const std::string images_path = folder_.Add("x-images-idx3-ubyte", images);
    const std::string labels_path = folder_.Add("x-labels-idx1-ubyte", labels);
    try {
      const IdxImages idx(images_path, labels_path);
      return "no error";
    } catch (const Error& error) {
      return std::string(error.what()).substr(folder_.path().size() + 1);
    }
  }

  TemporaryFolder folder_;
};

TEST_F(IdxTest, ReadsPlainAndGzipped) {
  const std::string images = IdxBytes({3, 2, 4}, Counting(24));
  const std::string labels = IdxBytes({3}, {9, 0, 200});
  for (const bool gzip_images : {false, true}) {
    for (const bool gzip_labels : {false, true}) {
      const TemporaryFolder folder;
      const std::string path =
          folder.Add(gzip_images ? "t10k-images-idx3-ubyte.gz" : "t10k-images-idx3-ubyte",
                     gzip_images ? Gzip(images) : images);
      folder.Add(gzip_labels ? "t10k-labels-idx1-ubyte.gz" : "t10k-labels-idx1-ubyte",
                 gzip_labels ? Gzip(labels) : labels);
      const IdxImages idx(path, "");
      ASSERT_EQ(idx.size(), 3);
      EXPECT_EQ(idx.LabelOf(0), 9);
      EXPECT_EQ(idx.LabelOf(2), 200);
      const Image image = idx.Read(1);
      EXPECT_EQ(image.height, 2);
      EXPECT_EQ(image.width, 4);
      EXPECT_EQ(image.pixels, (std::vector<uint8_t>{9, 10, 11, 12, 13, 14, 15, 16}));
      EXPECT_EQ(idx.NameOf(1), path + "[1]");
    }
  }
}

TEST_F(IdxTest, HeadersAreHeldAgainstTheFile) {
  const std::string images = IdxBytes({3, 2, 4}, Counting(24));
  const std::string labels = IdxBytes({3}, {0, 1, 2});
  EXPECT_EQ(MessageOf(images, labels), "no error");
  EXPECT_EQ(
      MessageOf(labels, labels),
      "x-images-idx3-ubyte: not an IDX3 file: it starts with 00 00 08 01, expected 00 00 08 03");
  EXPECT_EQ(MessageOf("", labels),
            "x-images-idx3-ubyte: not an IDX3 file: it starts with nothing, expected 00 00 08 03");
  EXPECT_EQ(MessageOf(images.substr(0, 9), labels),
            "x-images-idx3-ubyte: the IDX header ends early");
  EXPECT_EQ(MessageOf(images.substr(0, 35), labels),
            "x-images-idx3-ubyte: 19 bytes after the IDX header, expected 24");
  EXPECT_EQ(MessageOf(images + "x", labels),
            "x-images-idx3-ubyte: more than the 24 bytes that the IDX header promises");
  EXPECT_EQ(MessageOf(images, IdxBytes({2}, {0, 1})),
            "x-labels-idx1-ubyte: 2 labels for the 3 images of " + folder_.path() +
                "/x-images-idx3-ubyte");
  EXPECT_EQ(MessageOf(IdxBytes({3, 0, 4}, {}), labels),
            "x-images-idx3-ubyte: the IDX header has a dimension of 0");
}

TEST_F(IdxTest, HostileSizesTakeNoMemory) {
  const std::string labels = IdxBytes({1}, {0});
  EXPECT_EQ(MessageOf(IdxBytes({0xffffffff, 0xffffffff, 0xffffffff}, {1}), labels),
            "x-images-idx3-ubyte: the IDX header asks for absurdly many bytes");
  EXPECT_EQ(MessageOf(IdxBytes({1000, 1000, 1000}, {1}), labels),
            "x-images-idx3-ubyte: the IDX header promises 1000000000 bytes, the file is far too "
            "short for them");
  EXPECT_THAT(MessageOf(Gzip(IdxBytes({1000, 1000, 1000}, {1})), labels),
              HasSubstr("far too short"));
}

TEST_F(IdxTest, DamagedGzipIsFound) {
  std::vector<uint8_t> values(20000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * i >> 3);
  const std::string labels = IdxBytes({2}, {0, 1});
  std::string bytes = Gzip(IdxBytes({2, 100, 100}, values));
  EXPECT_EQ(MessageOf(bytes, labels), "no error");
  EXPECT_EQ(MessageOf(bytes.substr(0, bytes.size() / 2), labels),
            "x-images-idx3-ubyte: the gzip stream ends early; fetch the file again");
  bytes[bytes.size() - 6] ^= 0x10;  // in the checksum
  EXPECT_THAT(MessageOf(bytes, labels), HasSubstr("broken gzip stream: "));
}

TEST_F(IdxTest, MissingLabelsAreNamed) {
  const std::string path = folder_.Add("a-images-idx3-ubyte", IdxBytes({1, 1, 1}, {5}));
  const std::string odd = folder_.Add("pictures", IdxBytes({1, 1, 1}, {5}));
  try {
    IdxImages(path, "");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), path + ": no label file: neither " + folder_.path() +
                                             "/a-labels-idx1-ubyte nor " + folder_.path() +
                                             "/a-labels-idx1-ubyte.gz exists; set labels");
  }
  try {
    IdxImages(odd, "");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              odd +
                  ": cannot tell the label file from this name (it lacks \"images-idx3\"); set "
                  "labels");
  }
}

TEST(Idx, ReadsTheRealFashionMnist) {
  const std::string path = std::string(kFashionMnist) + "/t10k-images-idx3-ubyte.gz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  const IdxImages idx(path, "");
  ASSERT_EQ(idx.size(), 10000);
  std::array<int, 10> per_class = {};
  double sum = 0;
  for (int64_t i = 0; i < idx.size(); ++i) {
    ASSERT_LT(idx.LabelOf(i), 10);
    ++per_class[static_cast<size_t>(idx.LabelOf(i))];
    const Image image = idx.Read(i);
    for (const uint8_t pixel : image.pixels) sum += pixel;
  }
  for (const int count : per_class) EXPECT_EQ(count, 1000);
  // The published mean of the test images is 0.2868 of full scale.
  EXPECT_NEAR(sum / (10000.0 * 784) / 255, 0.2868, 0.0001);
}

}  // namespace
}  // namespace sparsify
