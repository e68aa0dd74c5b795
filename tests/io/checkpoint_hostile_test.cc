// Checkpoints that are rightly sealed and yet wrong inside, and seals that are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/io/checkpoint.h"
#include "tests/io/tampering.h"
#include "tests/io/temporary_directory.h"

namespace sparsify {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class CheckpointHostileTest : public testing::Test {
 protected:
  CheckpointHostileTest() { SaveCheckpoint(SampleCheckpoint(), Path("good.h5")); }

  std::string Path(const std::string& name = "net.h5") const { return directory_.Path(name); }
  /// What loading a good checkpoint says after `change` and a new seal.
  std::string After(const std::function<void(hid_t file)>& change) {
    std::filesystem::copy(Path("good.h5"), Path(),
                          std::filesystem::copy_options::overwrite_existing);
    Tamper(Path(), change);
    SealFile(Path());
    return MessageOf([&] { LoadCheckpoint(Path()); });
  }
  std::string WithSeal(uint32_t major, uint32_t minor) {
    std::filesystem::copy(Path("good.h5"), Path(),
                          std::filesystem::copy_options::overwrite_existing);
    SealFile(Path(), major, minor);
    return MessageOf([&] { LoadCheckpoint(Path()); });
  }

  TemporaryDirectory directory_;
};

// Replaces one element of a dataset; its crc32 attribute stays as it was.
template <class T>
void PutElement(hid_t file, const std::string& object, hid_t type, size_t index, T value) {
  const hid_t id = H5Dopen2(file, object.c_str(), H5P_DEFAULT);
  ASSERT_GE(id, 0) << object;
  std::vector<T> values(static_cast<size_t>(H5Sget_simple_extent_npoints(H5Dget_space(id))));
  ASSERT_GE(H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  values.at(index) = value;
  ASSERT_GE(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(id);
}

TEST_F(CheckpointHostileTest, TheSealIsWrittenAsDocumented) {
  std::vector<char> bytes = FileBytes(Path("good.h5"));
  const std::vector<char> sealed = bytes;
  std::fill_n(bytes.begin(), 512, '\0');
  Seal(bytes);
  EXPECT_EQ(bytes, sealed);
}

TEST_F(CheckpointHostileTest, VersionsAreToldApart) {
  EXPECT_EQ(WithSeal(1, 7), "no error");
  EXPECT_EQ(WithSeal(2, 3), Path() +
                                ": has checkpoint format 2.3, this program reads 1.x; use a "
                                "sparsify that reads 2.x");
  EXPECT_THAT(WithSeal(0, 9), HasSubstr("has checkpoint format 0.9"));
  EXPECT_EQ(After([](hid_t f) { PutInt(f, "/", "version_major", 2); }),
            Path() + ":/: version_major is 2, the seal says 1");
}

TEST_F(CheckpointHostileTest, ABrokenSealIsNamed) {
  std::vector<char> bytes = FileBytes(Path("good.h5"));
  const auto loading = [&](const std::vector<char>& changed) {
    WriteBytes(Path(), changed);
    return MessageOf([&] { LoadCheckpoint(Path()); });
  };
  std::vector<char> changed = bytes;
  changed[9] = 1;
  EXPECT_EQ(loading(changed), Path() + ": the seal is damaged");
  changed = bytes;
  changed[100] = 1;
  EXPECT_EQ(loading(changed), Path() + ": the seal is damaged: its reserved bytes are not zero");
  changed = bytes;
  changed[bytes.size() / 2] ^= 1;
  EXPECT_THAT(loading(changed), StartsWith(Path() + ": has checksum "));
  EXPECT_THAT(loading(changed), HasSubstr("damaged or changed since it was written"));
  EXPECT_THAT(loading({bytes.begin() + 512, bytes.end()}),
              HasSubstr("is HDF5 but has no checkpoint seal in front"));
  changed.assign(600, '\0');
  Seal(changed);
  EXPECT_EQ(loading(changed), Path() + ": has no HDF5 content behind its seal");
  changed = bytes;
  changed[512 + 8] = 0;
  Seal(changed);
  EXPECT_EQ(loading(changed), Path() +
                                  ": has an HDF5 superblock of version 0, expected 2 or 3; "
                                  "write it with the library bounds v108 or later");
}

TEST_F(CheckpointHostileTest, EveryObjectIsNeeded) {
  for (const std::string object :
       {"/graph", "/graph/values", "/graph/is_parameter", "/graph/nodes", "/graph/nodes/0001",
        "/graph/inputs", "/graph/outputs", "/graph/outputs/0000", "/weights", "/weights/large",
        "/masks", "/layers", "/layers/name", "/layers/zeros", "/layers/skipped", "/configuration",
        "/metrics", "/history", "/history/action"}) {
    EXPECT_THAT(After([&](hid_t f) { Delete(f, object); }),
                testing::AllOf(StartsWith(Path() + ":" + object), HasSubstr("missing")))
        << object;
  }
  for (const char* name : {"format", "version_major", "requested_sparsity"}) {
    EXPECT_EQ(After([&](hid_t f) { H5Adelete(f, name); }),
              fmt::format("{}:/: attribute \"{}\" is missing", Path(), name));
  }
}

TEST_F(CheckpointHostileTest, ChangedArraysAreNamed) {
  const auto expect_named = [&](const std::string& object, const std::string& message) {
    EXPECT_THAT(message, StartsWith(Path() + ":" + object + ": has checksum ")) << message;
  };
  expect_named("/weights/large", After([](hid_t f) {
                 PutElement<float>(f, "/weights/large", H5T_NATIVE_FLOAT, 17, 0.5F);
               }));
  expect_named("/masks/conv1.weight", After([](hid_t f) {
                 PutElement<uint8_t>(f, "/masks/conv1.weight", H5T_NATIVE_UINT8, 3, 0xAA);
               }));
  expect_named("/layers/requested", After([](hid_t f) {
                 PutElement<double>(f, "/layers/requested", H5T_NATIVE_DOUBLE, 0, 0.75);
               }));
  expect_named("/graph/is_parameter", After([](hid_t f) {
                 PutElement<uint8_t>(f, "/graph/is_parameter", H5T_NATIVE_UINT8, 0, 1);
               }));
  EXPECT_EQ(After([](hid_t f) {
              const hid_t id = H5Dopen2(f, "/weights/large", H5P_DEFAULT);
              H5Adelete(id, "crc32");
              H5Dclose(id);
            }),
            Path() + ":/weights/large: attribute \"crc32\" is missing");
}

TEST_F(CheckpointHostileTest, ATrueChecksumDoesNotExcuseALie) {
  // zeros of conv1: the column says one more; its checksum is right.
  const Checkpoint good = SampleCheckpoint();
  const int64_t zeros = CountZeros(good.graph.value(good.graph.FindValue("conv1.weight")).data);
  const std::vector<int64_t> lie = {zeros + 1, 0};
  const auto crc =
      static_cast<int64_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(lie.data()), 16));
  EXPECT_EQ(
      After([&](hid_t f) {
        Delete(f, "/layers/zeros");
        PutDataset(f, "/layers/zeros", H5T_STD_I64LE, {2}, H5P_DEFAULT, lie.data());
        PutInt(f, "/layers/zeros", "crc32", crc);
      }),
      fmt::format("{}:/layers: says that \"conv1\" has {} zeros in 216 elements; it has {} in "
                  "216",
                  Path(), zeros + 1, zeros));
  // A mask of zeros over a weight that is not zero.
  const std::vector<uint8_t> none(27, 0);
  EXPECT_THAT(After([&](hid_t f) {
                Delete(f, "/masks/conv1.weight");
                PutDataset(f, "/masks/conv1.weight", H5T_STD_U8LE, {27}, H5P_DEFAULT, none.data());
                PutText(f, "/masks/conv1.weight", "name", {"conv1.weight"}, true);
                const hsize_t four = 4;
                const std::vector<int64_t> shape = {8, 3, 3, 3};
                PutAttribute(f, "/masks/conv1.weight", "shape", H5T_STD_I64LE,
                             H5Screate_simple(1, &four, nullptr), shape.data());
                PutInt(f, "/masks/conv1.weight", "crc32",
                       static_cast<int64_t>(crc32_z(0, none.data(), none.size())));
              }),
              HasSubstr("is pruned but its weight is"));
}

TEST_F(CheckpointHostileTest, WrongKindsAreNamed) {
  EXPECT_EQ(After([](hid_t f) { PutText(f, "/", "requested_sparsity", {"half"}, true); }),
            Path() + ":/: attribute \"requested_sparsity\" is not a real number");
  EXPECT_EQ(After([](hid_t f) { PutText(f, "/", "format", {"another"}, true); }),
            Path() + ":/: format is \"another\", expected \"sparsify checkpoint\"");
  EXPECT_EQ(After([](hid_t f) { PutInt(f, "/graph/nodes/0000", "op", 3); }),
            Path() + ":/graph/nodes/0000: attribute \"op\" is not text");
  EXPECT_EQ(After([](hid_t f) { PutInt(f, "/metrics", "top5", 90); }),
            Path() + ":/metrics: attribute \"top5\" is not a real number");
  EXPECT_EQ(After([](hid_t f) {
              Delete(f, "/weights/large");
              const std::vector<double> values(462);
              PutDataset(f, "/weights/large", H5T_IEEE_F64LE, {462}, H5P_DEFAULT, values.data());
            }),
            Path() + ":/weights/large: holds float64, expected float32");
  EXPECT_EQ(After([](hid_t f) {
              Delete(f, "/weights/large");
              H5Gclose(H5Gcreate2(f, "/weights/large", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
            }),
            Path() + ":/weights/large: is not a dataset");
  EXPECT_EQ(After([](hid_t f) { PutText(f, "/weights/large", "name", {"small"}, true); }),
            Path() + ":/weights/large: its attribute \"name\" is not \"large\"");
  EXPECT_EQ(After([](hid_t f) {
              const std::vector<int64_t> shape = {-2, 3};
              const hsize_t two = 2;
              PutAttribute(f, "/graph/inputs/0000", "shape", H5T_STD_I64LE,
                           H5Screate_simple(1, &two, nullptr), shape.data());
            }),
            Path() + ":/graph/inputs/0000: has the shape [-2,3]");
  EXPECT_EQ(After([](hid_t f) {
              PutText(f, "/graph/nodes/0000", "attr.x", {"a", "b"}, false);
            }),
            Path() +
                ":/graph/nodes/0000: attribute \"attr.x\" is a list of texts, which no "
                "operator takes");
}

TEST_F(CheckpointHostileTest, WrongGraphsAreNamed) {
  EXPECT_EQ(After([](hid_t f) { PutText(f, "/graph/nodes/0000", "op", {"Explode"}, true); }),
            Path() + ":/graph/nodes/0000: unknown operator \"Explode\"");
  EXPECT_EQ(After([](hid_t f) { PutText(f, "/graph/nodes/0000", "inputs", {"nobody"}, false); }),
            Path() +
                ":/graph/nodes/0000: refers to the value \"nobody\", which /graph/values does "
                "not list");
  EXPECT_THAT(After([](hid_t f) {
                PutText(f, "/graph/nodes/0000", "inputs", {"clip/out", "conv1.weight"}, false);
              }),
              StartsWith(Path() + ":/graph: sämple/net: the graph has a cycle"));
  EXPECT_THAT(After([](hid_t f) { PutText(f, "/graph/nodes/0001", "outputs", {"y"}, false); }),
              HasSubstr("value \"y\" is made twice"));
  EXPECT_EQ(After([](hid_t f) { PutText(f, "/graph/inputs/0000", "value", {"nobody"}, true); }),
            Path() + ":/graph/inputs/0000: refers to the unknown value \"nobody\"");
  EXPECT_EQ(After([](hid_t f) {
              const float one = 1;
              PutDataset(f, "/weights/extra", H5T_IEEE_F32LE, {1}, H5P_DEFAULT, &one);
            }),
            Path() + ":/weights: holds 6 arrays for 5 parameters");
}

TEST_F(CheckpointHostileTest, LinksAndLoopsAreRefused) {
  EXPECT_THAT(After([](hid_t f) {
                Delete(f, "/weights/large");
                H5Lcreate_external("good.h5", "/weights/large", f, "/weights/large", H5P_DEFAULT,
                                   H5P_DEFAULT);
              }),
              HasSubstr(":/weights/large: /weights/large is an external link"));
  EXPECT_EQ(After([](hid_t f) {
              Delete(f, "/graph/nodes/0001");
              H5Lcreate_hard(f, "/graph", f, "/graph/nodes/0001", H5P_DEFAULT, H5P_DEFAULT);
            }),
            Path() + ":/graph/nodes/0001: attribute \"op\" is missing");
}

TEST_F(CheckpointHostileTest, ManyNamesForOneNodeDoNotMultiplyMemory) {
  const std::string message = After([](hid_t f) {
    const std::vector<int64_t> values(2000, 1);
    const hsize_t count = values.size();
    PutAttribute(f, "/graph/nodes/0002", "attr.large", H5T_STD_I64LE,
                 H5Screate_simple(1, &count, nullptr), values.data());
    for (int i = 3; i < 1000; ++i) {
      H5Lcreate_hard(f, "/graph/nodes/0002", f, fmt::format("/graph/nodes/{:04}", i).c_str(),
                     H5P_DEFAULT, H5P_DEFAULT);
    }
  });
  EXPECT_THAT(message, HasSubstr("the nodes' attributes exceed the file's size; hostile"));
}

TEST_F(CheckpointHostileTest, WhatALaterMinorVersionAddsIsIgnored) {
  EXPECT_EQ(After([](hid_t f) {
              const float one = 1;
              PutDataset(f, "/later", H5T_IEEE_F32LE, {1}, H5P_DEFAULT, &one);
              PutText(f, "/graph/nodes/0000", "comment", {"later"}, true);
              PutInt(f, "/", "later", 1);
            }),
            "no error");
}

}  // namespace
}  // namespace sparsify
