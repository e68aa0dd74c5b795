#include "sparsity/io/hdf5_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "sparsity/base/error.h"
#include "tests/io/sample_checkpoint.h"
#include "tests/io/temporary_directory.h"

namespace sparsify {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Hdf5FileTest : public testing::Test {
 protected:
  std::string Path(const std::string& name = "a.h5") const { return directory_.Path(name); }

  TemporaryDirectory directory_;
};

TEST_F(Hdf5FileTest, FloatsComeBackBitExact) {
  const std::vector<uint32_t> bits = {0x00000000, 0x80000000, 0x00000001, 0x807FFFFF,
                                      0x7F800000, 0xFF800000, 0x7FC00000, 0x7FC12345,
                                      0xFFFFFFFF, 0x7F800001, 0x3F800000, 0x7F7FFFFF};
  std::vector<float> values(bits.size());
  std::memcpy(values.data(), bits.data(), bits.size() * sizeof(float));
  Hdf5File out = Hdf5File::Create(Path());
  out.WriteFloats("/deep/er/floats", {3, 4}, values);
  out.Commit();

  const Hdf5File in = Hdf5File::Open(Path());
  EXPECT_EQ(in.Dims("/deep/er/floats"), Shape({3, 4}));
  EXPECT_EQ(in.Info("/deep/er/floats").type, Hdf5Type::kFloat32);
  std::vector<float> back(values.size());
  in.ReadFloats("/deep/er/floats", 0, 3, back);
  EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * sizeof(float)), 0);
}

TEST_F(Hdf5FileTest, EveryOtherKindComesBack) {
  const std::string odd = "grüße\n\"quoted\"";
  Hdf5File out = Hdf5File::Create(Path());
  out.WriteDoubles("/doubles", {2}, std::vector<double>{M_PI, -0.0});
  out.WriteInts("/ints", {2, 1}, std::vector<int64_t>{std::numeric_limits<int64_t>::min(), 7});
  out.WriteBytes("/bytes", {3}, std::vector<uint8_t>{0, 128, 255});
  out.WriteStrings("/texts", {"one", "", odd});
  out.WriteString("/text", odd);
  out.WriteString("/empty", "");
  out.WriteStrings("/no texts", {});
  out.WriteFloats("/nothing", {0, 3}, {});
  out.WriteFloats("/scalar", Shape(), std::vector<float>{2.5F});
  out.WriteGroup("/group");
  out.Commit();

  const Hdf5File in = Hdf5File::Open(Path());
  std::vector<double> doubles(2);
  in.ReadDoubles("/doubles", 0, 2, doubles);
  EXPECT_EQ(doubles[0], M_PI);
  EXPECT_TRUE(std::signbit(doubles[1]));
  std::vector<int64_t> ints(2);
  in.ReadInts("/ints", 0, 2, ints);
  EXPECT_THAT(ints, ElementsAre(std::numeric_limits<int64_t>::min(), 7));
  std::vector<uint8_t> bytes(3);
  in.ReadBytes("/bytes", 0, 3, bytes);
  EXPECT_THAT(bytes, ElementsAre(0, 128, 255));
  EXPECT_THAT(in.ReadStrings("/texts"), ElementsAre("one", "", odd));
  EXPECT_EQ(in.ReadString("/text"), odd);
  EXPECT_EQ(in.ReadString("/empty"), "");
  EXPECT_TRUE(in.ReadStrings("/no texts").empty());
  EXPECT_EQ(in.Dims("/nothing"), Shape({0, 3}));
  std::vector<float> scalar(1);
  in.ReadFloats("/scalar", 0, 1, scalar);
  EXPECT_EQ(scalar[0], 2.5F);
  EXPECT_TRUE(in.IsGroup("/group"));
  EXPECT_FALSE(in.IsGroup("/text"));
  EXPECT_TRUE(in.Has("/group"));
  EXPECT_FALSE(in.Has("/group/text"));
  EXPECT_THAT(in.List("/"), ElementsAre("bytes", "doubles", "empty", "group", "ints", "no texts",
                                        "nothing", "scalar", "text", "texts"));
}

TEST_F(Hdf5FileTest, AttributesComeBack) {
  const std::map<std::string, Hdf5Attribute> attributes = {
      {"int", int64_t{-3}},
      {"double", 0.1},
      {"text", std::string("abc")},
      {"no text", std::string()},
      {"ints", std::vector<int64_t>{1, -1, int64_t{1} << 62}},
      {"no ints", std::vector<int64_t>{}},
      {"one int", std::vector<int64_t>{5}},
      {"doubles", std::vector<double>{1e-320, std::numeric_limits<double>::infinity()}},
      {"texts", std::vector<std::string>{"", "ab", "c"}},
      {"no texts", std::vector<std::string>{}},
      {"many ints", std::vector<int64_t>(100'000, 42)}};  // more than an object header holds
  Hdf5File out = Hdf5File::Create(Path());
  out.WriteGroup("/g");
  for (const auto& [name, value] : attributes) out.SetAttribute("/g", name, value);
  out.SetAttribute("/", "root", int64_t{1});
  out.Commit();

  const Hdf5File in = Hdf5File::Open(Path());
  EXPECT_EQ(in.GetAttributes("/g"), attributes);
  EXPECT_EQ(in.GetAttribute("/", "root"), Hdf5Attribute(int64_t{1}));
  EXPECT_TRUE(in.HasAttribute("/", "root"));
  EXPECT_FALSE(in.HasAttribute("/g", "root"));
  EXPECT_EQ(MessageOf([&] { in.GetAttribute("/g", "root"); }),
            Path() + ":/g: attribute \"root\" is missing");
}

TEST_F(Hdf5FileTest, ReadsRowsAndConverts) {
  Hdf5File out = Hdf5File::Create(Path());
  std::vector<uint8_t> pixels(4 * 6);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 10);
  out.WriteBytes("/images", {4, 2, 3}, pixels);
  out.Commit();

  const Hdf5File in = Hdf5File::Open(Path());
  std::vector<float> rows(12);
  in.ReadFloats("/images", 1, 2, rows);
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i], static_cast<float>(60 + i * 10));
  in.ReadFloats("/images", 4, 0, std::span<float>());
  EXPECT_EQ(MessageOf([&] { in.ReadFloats("/images", 3, 2, rows); }),
            Path() + ":/images: rows 3 to 5 asked of 4");
  EXPECT_EQ(MessageOf([&] { in.ReadFloats("/images", 0, 1, rows); }),
            Path() + ":/images: 1 rows of [4,2,3] have 6 elements; the buffer has 12");
  EXPECT_EQ(MessageOf([&] { in.ReadString("/images"); }),
            Path() + ":/images: has the shape [4,2,3], expected a scalar");
}

TEST_F(Hdf5FileTest, WrongKindsAreNamed) {
  Hdf5File out = Hdf5File::Create(Path());
  out.WriteFloats("/floats", {1}, std::vector<float>{1});
  out.WriteString("/text", "abc");
  EXPECT_EQ(MessageOf([&] { out.WriteString("/text", "again"); }),
            Path() + ":/text: written twice");
  EXPECT_EQ(MessageOf([&] { out.WriteString("/nul", std::string("a\0b", 3)); }),
            Path() + ":/nul: text holds a NUL character");
  EXPECT_EQ(MessageOf([&] { out.WriteFloats("/few", {3}, std::vector<float>{1}); }),
            Path() + ":/few: 1 values given for the shape [3]");
  out.Commit();
  EXPECT_EQ(MessageOf([&] { out.WriteGroup("/late"); }),
            Path() + ":/late: the file is not open for writing");

  Hdf5File in = Hdf5File::Open(Path());
  std::vector<int64_t> ints(1);
  std::vector<float> floats(1);
  std::vector<uint8_t> bytes(1);
  EXPECT_EQ(MessageOf([&] { in.ReadInts("/floats", 0, 1, ints); }),
            Path() + ":/floats: holds float32, expected integers");
  EXPECT_EQ(MessageOf([&] { in.ReadFloats("/text", 0, 1, floats); }),
            Path() + ":/text: holds text, expected numbers");
  EXPECT_EQ(MessageOf([&] { in.ReadBytes("/floats", 0, 1, bytes); }),
            Path() + ":/floats: holds float32, expected uint8");
  EXPECT_EQ(MessageOf([&] { in.ReadString("/floats"); }),
            Path() + ":/floats: has the shape [1], expected a scalar");
  EXPECT_EQ(MessageOf([&] { in.ReadStrings("/floats"); }),
            Path() + ":/floats: holds float32, expected text");
  EXPECT_EQ(MessageOf([&] { in.Info("/nowhere/x"); }), Path() + ":/nowhere/x: missing");
  EXPECT_EQ(MessageOf([&] { in.Info("/"); }), Path() + ":/: is not a dataset");
  EXPECT_EQ(MessageOf([&] { in.List("/text"); }), Path() + ":/text: not a group");
  EXPECT_EQ(MessageOf([&] { in.List("/", 1); }),
            Path() + ":/: holds 2 objects; at most 1 are accepted");
  EXPECT_EQ(MessageOf([&] { in.WriteGroup("/g"); }),
            Path() + ":/g: the file is not open for writing");
}

TEST_F(Hdf5FileTest, ChecksumIsZlibsOverTheStoredElements) {
  Hdf5File out = Hdf5File::Create(Path());
  const std::string digits = "123456789";  // the published check value of CRC-32
  out.WriteBytes("/digits", {9}, std::vector<uint8_t>(digits.begin(), digits.end()));
  out.WriteString("/text", digits);
  out.WriteFloats("/nothing", {0}, {});
  EXPECT_EQ(out.Crc32("/digits"), 0xCBF43926U);
  EXPECT_EQ(out.Crc32("/text"), 0xCBF43926U);
  EXPECT_EQ(out.Crc32("/nothing"), 0U);
}

TEST_F(Hdf5FileTest, AppendsRows) {
  Hdf5File out = Hdf5File::Create(Path());
  out.CreateFloats("/rows", {2, 2});
  float next = 0;
  for (const size_t rows : {1U, 1000U, 3U}) {
    std::vector<float> values(rows * 4);
    for (float& value : values) value = next++;
    out.AppendFloats("/rows", values);
  }
  EXPECT_EQ(MessageOf([&] { out.AppendFloats("/rows", std::vector<float>(5)); }),
            Path() + ":/rows: 5 values are no whole number of rows of 4");
  out.Commit();
  const Hdf5File in = Hdf5File::Open(Path());
  ASSERT_EQ(in.Dims("/rows"), Shape({1004, 2, 2}));
  std::vector<float> back(4016);
  in.ReadFloats("/rows", 0, 1004, back);
  for (size_t i = 0; i < back.size(); ++i) ASSERT_EQ(back[i], static_cast<float>(i));
}

TEST_F(Hdf5FileTest, SameContentsGiveTheSameBytes) {
  for (const char* name : {"a.h5", "b.h5"}) {
    Hdf5File out = Hdf5File::Create(Path(name), 512);
    out.WriteFloats("/group/x", {100, 100}, std::vector<float>(10'000, 1.5F));
    out.SetAttribute("/group/x", "note", std::string("n"));
    out.WriteStrings("/names", {"a", "bcd"});
    out.Commit();
  }
  EXPECT_EQ(FileBytes(Path("a.h5")), FileBytes(Path("b.h5")));
  EXPECT_GT(FileBytes(Path("a.h5")).size(), 512U);
}

TEST_F(Hdf5FileTest, UserBlockIsTheCallers) {
  Hdf5File out = Hdf5File::Create(Path(), 512);
  out.WriteString("/text", "abc");
  size_t size = 0;
  out.Commit([&](std::span<uint8_t> image) {
    image[0] = 'U';
    image[511] = 'B';
    size = image.size();
  });
  const std::vector<char> bytes = FileBytes(Path());
  EXPECT_EQ(bytes.size(), size);
  EXPECT_EQ(bytes[0], 'U');
  EXPECT_EQ(bytes[511], 'B');
  EXPECT_EQ(Hdf5File::Open(Path()).ReadString("/text"), "abc");
}

TEST_F(Hdf5FileTest, ZerosTakeLittleRoom) {
  Hdf5File out = Hdf5File::Create(Path());
  out.WriteFloats("/zeros", {1000, 1000}, std::vector<float>(1'000'000));
  out.Commit();
  EXPECT_LT(FileBytes(Path()).size(), 20'000U);
  const Hdf5Dataset info = Hdf5File::Open(Path()).Info("/zeros");
  EXPECT_GT(info.stored_bytes, 0);
  EXPECT_EQ(info.element_bytes, 4);
}

TEST_F(Hdf5FileTest, StoredPlainTheSameComesBackFromMoreBytes) {
  const std::vector<float> zeros(100000, 0.0F);
  const std::vector<int64_t> numbers(1000, -7);
  for (const bool plain : {false, true}) {
    Hdf5File file = Hdf5File::Create(Path(plain ? "plain.h5" : "deflated.h5"));
    if (plain) file.StorePlain();
    file.WriteFloats("/zeros", {100, 1000}, zeros);
    file.WriteInts("/numbers", {1000}, numbers);
    file.Commit();
  }
  EXPECT_LT(FileBytes(Path("deflated.h5")).size(), 40000U);
  const std::vector<char> bytes = FileBytes(Path("plain.h5"));
  EXPECT_GT(bytes.size(), 408000U);
  const Hdf5File file = Hdf5File::Open(Path("plain.h5"));
  std::vector<float> floats(100000, 1.0F);
  file.ReadFloats("/zeros", 0, 100, floats);
  EXPECT_EQ(floats, zeros);
  std::vector<int64_t> ints(1000);
  file.ReadInts("/numbers", 0, 1000, ints);
  EXPECT_EQ(ints, numbers);

  std::vector<char> damaged = bytes;
  damaged[200'000] = 1;  // one of the zeros
  std::ofstream(Path("damaged.h5"), std::ios::binary).write(damaged.data(), std::ssize(damaged));
  const Hdf5File broken = Hdf5File::Open(Path("damaged.h5"));
  EXPECT_THAT(MessageOf([&] { broken.ReadFloats("/zeros", 0, 100, floats); }), HasSubstr("/zeros"));
}

TEST_F(Hdf5FileTest, WhatIsNotHdf5IsRefused) {
  std::ofstream(Path("empty")).close();
  std::ofstream(Path("text")) << std::string(3000, 'x');
  EXPECT_EQ(MessageOf([&] { Hdf5File::Open(Path("empty")); }),
            Path("empty") + ": not an HDF5 file: no HDF5 signature in its 0 bytes");
  EXPECT_EQ(MessageOf([&] { Hdf5File::Open(Path("text")); }),
            Path("text") + ": not an HDF5 file: no HDF5 signature in its 3000 bytes");
  EXPECT_THAT(MessageOf([&] { Hdf5File::Open(Path("none")); }),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(MessageOf([&] { Hdf5File::Open(directory_.Path("")); }), HasSubstr("directory"));
}

TEST_F(Hdf5FileTest, EveryTruncationIsRefused) {
  Hdf5File out = Hdf5File::Create(Path());
  out.WriteFloats("/x", {64, 64}, std::vector<float>(4096, 3.0F));
  out.Commit();
  const std::vector<char> whole = FileBytes(Path());
  for (size_t size = 8; size < whole.size(); size += 97) {
    std::ofstream(Path("cut.h5"), std::ios::binary)
        .write(whole.data(), static_cast<std::streamsize>(size));
    EXPECT_THAT(MessageOf([&] { Hdf5File::Open(Path("cut.h5")); }),
                HasSubstr("damaged or cut short"))
        << size << " of " << whole.size();
  }
}

TEST_F(Hdf5FileTest, FailedCommitLeavesTheOldFile) {
  std::filesystem::create_directory(Path("taken.h5"));
  Hdf5File out = Hdf5File::Create(Path("taken.h5"));
  out.WriteString("/text", "abc");
  EXPECT_THROW(out.Commit(), Error);
  Hdf5File nowhere = Hdf5File::Create(Path("missing/x.h5"));
  EXPECT_THAT(MessageOf([&] { nowhere.Commit(); }), HasSubstr(Path("missing/x.h5")));
  EXPECT_THAT(directory_.Names(), ElementsAre("taken.h5"));
}

TEST_F(Hdf5FileTest, ThreadsReadAtOnce) {
  Hdf5File out = Hdf5File::Create(Path());
  for (int i = 0; i < 4; ++i) {
    out.WriteFloats(fmt::format("/x{}", i), {5000}, std::vector<float>(5000, float(i)));
  }
  out.Commit();
  const Hdf5File in = Hdf5File::Open(Path());
  std::vector<std::thread> threads;
  std::vector<int> right(4, 0);
  for (size_t i = 0; i < right.size(); ++i) {
    threads.emplace_back([&, i] {
      std::vector<float> values(5000);
      for (int round = 0; round < 20; ++round) {
        in.ReadFloats(fmt::format("/x{}", i), 0, 5000, values);
        right[i] += values[4999] == static_cast<float>(i) ? 1 : 0;
        EXPECT_THROW(in.Info("/none"), Error);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(right, ElementsAre(20, 20, 20, 20));
}

}  // namespace
}  // namespace sparsify
