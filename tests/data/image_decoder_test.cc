#include "sparsity/data/image_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>

#include "image_files.h"
#include "sparsity/base/error.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

using ::testing::StartsWith;

std::string MessageOf(const std::string& bytes) {
  try {
    DecodeImage(bytes, "dir/a.img");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

int MaxDifference(const Image& a, const Image& b) {
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.channels, b.channels);
  if (a.pixels.size() != b.pixels.size()) return 256;
  int worst = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    worst = std::max(worst, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return worst;
}

TEST(ImageDecoder, PngIsExact) {
  for (const int64_t channels : {1, 3}) {
    const Image image = NoiseImage(13, 29, channels, 5);
    EXPECT_EQ(MaxDifference(DecodeImage(EncodePng(image), "a"), image), 0);
  }
}

TEST(ImageDecoder, InterlacedPngIsExact) {
  const Image image = NoiseImage(17, 11, 3, 5);
  const std::string png = EncodePng(17, 11, PNG_COLOR_TYPE_RGB, 8, image.pixels, true);
  EXPECT_EQ(MaxDifference(DecodeImage(png, "a"), image), 0);
}

TEST(ImageDecoder, SixteenBitPngKeepsTheHighByte) {
  const Image noise = NoiseImage(5, 7 * 2, 3, 9);
  const Image decoded = DecodeImage(EncodePng(5, 7, PNG_COLOR_TYPE_RGB, 16, noise.pixels), "a");
  ASSERT_EQ(decoded.pixels.size(), 5U * 7 * 3);
  for (size_t i = 0; i < decoded.pixels.size(); ++i) {
    EXPECT_EQ(decoded.pixels[i], noise.pixels[2 * i]);
  }
}

TEST(ImageDecoder, PngAlphaIsDropped) {
  const Image rgba = NoiseImage(4, 6, 4, 2);
  const Image rgb = DecodeImage(EncodePng(4, 6, PNG_COLOR_TYPE_RGB_ALPHA, 8, rgba.pixels), "a");
  ASSERT_EQ(rgb.channels, 3);
  for (size_t i = 0; i < rgb.pixels.size(); ++i) {
    EXPECT_EQ(rgb.pixels[i], rgba.pixels[i / 3 * 4 + i % 3]);
  }
  const Image ga = NoiseImage(4, 6, 2, 3);
  const Image gray = DecodeImage(EncodePng(4, 6, PNG_COLOR_TYPE_GRAY_ALPHA, 8, ga.pixels), "a");
  ASSERT_EQ(gray.channels, 1);
  for (size_t i = 0; i < gray.pixels.size(); ++i) EXPECT_EQ(gray.pixels[i], ga.pixels[2 * i]);
}

TEST(ImageDecoder, PngPaletteIsExpanded) {
  const Image index = NoiseImage(8, 8, 1, 4);
  const Image rgb = DecodeImage(EncodePng(8, 8, PNG_COLOR_TYPE_PALETTE, 8, index.pixels), "a");
  ASSERT_EQ(rgb.channels, 3);
  for (size_t i = 0; i < index.pixels.size(); ++i) {
    EXPECT_EQ(rgb.pixels[3 * i], index.pixels[i]);
    EXPECT_EQ(rgb.pixels[3 * i + 1], 255 - index.pixels[i]);
    EXPECT_EQ(rgb.pixels[3 * i + 2], index.pixels[i] / 2);
  }
}

TEST(ImageDecoder, OneBitPngBecomesBlackAndWhite) {
  // Two rows of nine pixels: 101010101 and 000000001.
  const std::vector<uint8_t> bits = {0xaa, 0x80, 0x00, 0x80};
  const Image gray = DecodeImage(EncodePng(2, 9, PNG_COLOR_TYPE_GRAY, 1, bits), "a");
  const std::vector<uint8_t> expected = {255, 0, 255, 0, 255, 0, 255, 0, 255,
                                         0,   0, 0,   0, 0,   0, 0,   0, 255};
  EXPECT_EQ(gray.pixels, expected);
}

TEST(ImageDecoder, JpegIsCloseForGrayAndColour) {
  for (const int64_t channels : {1, 3}) {
    for (const bool progressive : {false, true}) {
      const Image image = SmoothImage(37, 53, channels);
      EXPECT_LE(MaxDifference(DecodeImage(EncodeJpeg(image, progressive), "a"), image), 6);
    }
  }
}

TEST(ImageDecoder, CmykJpegBecomesRgb) {
  const Image cmyk = SmoothImage(24, 40, 4);
  const Image rgb = DecodeImage(EncodeJpeg(cmyk), "a");
  ASSERT_EQ(rgb.channels, 3);
  for (size_t i = 0; i < rgb.pixels.size(); ++i) {
    const double ink_free = cmyk.pixels[i / 3 * 4 + i % 3];
    const double light = cmyk.pixels[i / 3 * 4 + 3];
    EXPECT_NEAR(rgb.pixels[i], ink_free * light / 255, 8) << i;
  }
}

TEST(ImageDecoder, NamesWhatIsNoImage) {
  EXPECT_EQ(MessageOf(""), "dir/a.img: the file is empty; expected a JPEG or PNG image");
  EXPECT_EQ(MessageOf("GIF89a.."),
            "dir/a.img: neither JPEG nor PNG: it starts with the bytes 47 49 46 38 39 61 2e 2e");
}

TEST(ImageDecoder, ReadsAFile) {
  const TemporaryFolder folder;
  const Image image = NoiseImage(5, 7, 3, 4);
  EXPECT_EQ(MaxDifference(ReadImage(folder.Add("a.png", EncodePng(image))), image), 0);
  EXPECT_THROW(ReadImage(folder.path() + "/b.png"), Error);
}

TEST(ImageDecoder, EveryTruncationOfAJpegIsBroken) {
  for (const bool progressive : {false, true}) {
    const std::string whole = EncodeJpeg(SmoothImage(33, 31, 3), progressive);
    for (size_t size = 3; size < whole.size(); size += 7) {
      ASSERT_THAT(MessageOf(whole.substr(0, size)), StartsWith("dir/a.img: broken JPEG: ")) << size;
    }
    EXPECT_EQ(MessageOf(whole), "no error");
  }
}

TEST(ImageDecoder, EveryTruncationOfAPngIsBroken) {
  const std::string whole = EncodePng(NoiseImage(9, 9, 3, 1));
  for (size_t size = 8; size < whole.size(); size += 5) {
    ASSERT_EQ(MessageOf(whole.substr(0, size)), "dir/a.img: broken PNG: the file ends early");
  }
}

TEST(ImageDecoder, ADamagedPngIsBroken) {
  std::string png = EncodePng(NoiseImage(9, 9, 3, 1));
  png[png.size() / 2] ^= 0x55;
  EXPECT_THAT(MessageOf(png), StartsWith("dir/a.img: broken PNG: "));
}

TEST(ImageDecoder, AHugeHeaderIsRefusedBeforeMemoryIsTaken) {
  std::string jpeg = EncodeJpeg(SmoothImage(16, 16, 1));
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_EQ(
      MessageOf(jpeg),
      "dir/a.img: the JPEG header says 65500×65500 pixels, at most 100000000 in all are read");

  std::string png = EncodePng(NoiseImage(4, 4, 1, 1));
  const char size[] = {0, 1, 0, 0, 0, 1, 0, 0};
  png.replace(16, 8, size, 8);
  const uint32_t crc =
      static_cast<uint32_t>(crc32(0, reinterpret_cast<const unsigned char*>(png.data()) + 12, 17));
  for (int i = 0; i < 4; ++i)
    png[29 + static_cast<size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_EQ(MessageOf(png),
            "dir/a.img: the PNG header says 65536×65536 pixels, at most 100000000 in all are read");
}

TEST(ImageDecoder, APipeIsNotWaitedFor) {
  const std::string path = ::testing::TempDir() + "image_decoder_" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::string message;
  try {
    ReadImage(path);
  } catch (const Error& error) {
    message = error.what();
  }
  std::remove(path.c_str());
  EXPECT_EQ(message, path + ": is neither a file nor a link to one");
}

// Random damage must end in pixels or an Error, never in a crash.
TEST(ImageDecoder, SurvivesRandomDamage) {
  for (const std::string& whole :
       {EncodeJpeg(SmoothImage(40, 40, 3)), EncodeJpeg(SmoothImage(40, 40, 3), true),
        EncodePng(NoiseImage(12, 12, 3, 7))}) {
    int broken = 0;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      Random random(seed);
      std::string bytes = whole;
      for (int k = 0; k < 3; ++k)
        bytes[8 + random.Below(bytes.size() - 8)] ^= static_cast<char>(1 + random.Below(255));
      if (MessageOf(bytes) != "no error") ++broken;
    }
    EXPECT_GT(broken, 30);
  }
}

}  // namespace
}  // namespace sparsify
