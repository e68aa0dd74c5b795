// Files that lead elsewhere, expand without bound or hold what is not supported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sparsity/io/hdf5_file.h"
#include "tests/io/tampering.h"
#include "tests/io/temporary_directory.h"

namespace sparsify {
namespace {

using testing::HasSubstr;

class Hdf5HostileTest : public testing::Test {
 protected:
  void Make(const std::function<void(hid_t file)>& fill) {
    const hid_t file = H5Fcreate(Path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    fill(file);
    ASSERT_GE(H5Fclose(file), 0);
  }
  std::string Path(const std::string& name = "a.h5") const { return directory_.Path(name); }
  /// What reading "/x" as one float says.
  std::string Reading() const {
    const Hdf5File file = Hdf5File::Open(Path());
    std::vector<float> out(1);
    return MessageOf([&] { file.ReadFloats("/x", 0, 1, out); });
  }

  TemporaryDirectory directory_;
  const float one_ = 1;
};

TEST_F(Hdf5HostileTest, LinksOtherThanHardAreNotFollowed) {
  Make([&](hid_t file) {
    PutDataset(file, "/real", H5T_IEEE_F32LE, {1}, H5P_DEFAULT, &one_);
    H5Lcreate_soft("/real", file, "/x", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(Reading(),
            Path() + ":/x: /x is a soft link, which is not followed; store the object itself");
  std::filesystem::copy(Path(), Path("other.h5"));
  Make([&](hid_t file) {
    H5Lcreate_external("other.h5", "/real", file, "/x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("other.h5", "/", file, "/away", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_EQ(Reading(),
            Path() + ":/x: /x is an external link, which is not followed; store the object itself");
  const Hdf5File file = Hdf5File::Open(Path());
  EXPECT_THAT(MessageOf([&] { file.Has("/away/real"); }), HasSubstr("/away is an external link"));
  EXPECT_THAT(MessageOf([&] { file.List("/away"); }), HasSubstr("/away is an external link"));
}

TEST_F(Hdf5HostileTest, ExternalStorageAndVirtualDatasetsAreNotFollowed) {
  Make([&](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "/etc/hostname", 0, 4);
    PutDataset(file, "/x", H5T_IEEE_F32LE, {1}, properties, nullptr);
  });
  EXPECT_EQ(Reading(), Path() + ":/x: keeps its data in external files, which are not followed");
  Make([&](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t one = 1;
    const hid_t space = H5Screate_simple(1, &one, nullptr);
    H5Pset_virtual(properties, space, "other.h5", "/real", space);
    PutDataset(file, "/x", H5T_IEEE_F32LE, {1}, properties, nullptr);
  });
  EXPECT_EQ(Reading(), Path() + ":/x: is a virtual dataset, which is not followed");
}

TEST_F(Hdf5HostileTest, FiltersAreFewAndEachOnce) {
  const auto with_filter = [&](const std::function<void(hid_t)>& set) {
    Make([&](hid_t file) {
      const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
      const hsize_t chunk = 1;
      H5Pset_chunk(properties, 1, &chunk);
      set(properties);
      PutDataset(file, "/x", H5T_IEEE_F32LE, {1}, properties, &one_);
    });
  };
  with_filter([](hid_t p) { H5Pset_filter(p, 32000, H5Z_FLAG_OPTIONAL, 0, nullptr); });
  EXPECT_THAT(Reading(), HasSubstr(":/x: filter 32000 ("));
  EXPECT_THAT(Reading(), HasSubstr("is not supported; use deflate (gzip), shuffle, fletcher32"));
  with_filter([](hid_t p) {
    H5Pset_deflate(p, 9);
    H5Pset_deflate(p, 9);
  });
  EXPECT_EQ(Reading(), Path() + ":/x: filter 1 (deflate) is applied twice; damaged or hostile");
  with_filter([](hid_t p) {
    H5Pset_shuffle(p);
    H5Pset_deflate(p, 9);
    H5Pset_fletcher32(p);
  });
  EXPECT_EQ(Reading(), "no error");
}

TEST_F(Hdf5HostileTest, DeclaredSizesNeedStoredBytes) {
  Make([&](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 1000;
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_deflate(properties, 9);
    PutDataset(file, "/x", H5T_IEEE_F32LE, {hsize_t{1} << 38}, properties, nullptr);
  });
  EXPECT_THAT(Reading(), HasSubstr(":/x: declares [274877906944] of float32 but stores 0 bytes"));
  Make([&](hid_t file) {
    PutDataset(file, "/x", H5T_IEEE_F32LE, {hsize_t{1} << 30}, H5P_DEFAULT, nullptr);
  });
  EXPECT_THAT(Reading(), HasSubstr("incomplete or hostile"));
  Make([&](hid_t file) {
    PutDataset(file, "/x", H5T_IEEE_F32LE, {hsize_t{1} << 20, hsize_t{1} << 21, 1}, H5P_DEFAULT,
               nullptr);
  });
  EXPECT_EQ(Reading(), Path() + ":/x: declares the shape [1048576,2097152,1]; damaged or hostile");
  Make([&](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = (hsize_t{1} << 28) + 1;
    H5Pset_chunk(properties, 1, &chunk);
    PutDataset(file, "/x", H5T_IEEE_F32LE, {chunk}, properties, nullptr);
  });
  EXPECT_EQ(Reading(), Path() + ":/x: has chunks of more than 1 GiB; use smaller chunks");
}

TEST_F(Hdf5HostileTest, OtherElementTypesAreNamed) {
  const auto with_type = [&](hid_t type) {
    Make([&](hid_t file) { PutDataset(file, "/x", type, {1}, H5P_DEFAULT, nullptr); });
    return Reading();
  };
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  EXPECT_EQ(with_type(text),
            Path() + ":/x: text of variable length; store fixed-length text (h5py: numpy.bytes_)");
  const hid_t compound = H5Tcreate(H5T_COMPOUND, 8);
  H5Tinsert(compound, "a", 0, H5T_IEEE_F64LE);
  EXPECT_EQ(with_type(compound), Path() +
                                     ":/x: element type compound of 8 bytes; expected "
                                     "float32, float64, (u)int8 to 64 or text");
  EXPECT_THAT(with_type(H5Tvlen_create(H5T_IEEE_F32LE)), HasSubstr("type variable-length of"));
  EXPECT_THAT(with_type(H5T_STD_REF_OBJ), HasSubstr("type reference of"));
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  EXPECT_THAT(with_type(half), HasSubstr("type float of 2 bytes"));
  Make([&](hid_t file) {
    H5Dclose(H5Dcreate2(file, "/x", H5T_IEEE_F32LE, H5Screate(H5S_NULL), H5P_DEFAULT, H5P_DEFAULT,
                        H5P_DEFAULT));
  });
  EXPECT_EQ(Reading(), Path() + ":/x: has no data (null dataspace)");
}

TEST_F(Hdf5HostileTest, BigEndianNumbersAreConverted) {
  const std::vector<uint8_t> stored = {0x3F, 0xC0, 0x00, 0x00};  // 1.5
  Make(
      [&](hid_t file) { PutDataset(file, "/x", H5T_IEEE_F32BE, {1}, H5P_DEFAULT, stored.data()); });
  std::vector<float> out(1);
  Hdf5File::Open(Path()).ReadFloats("/x", 0, 1, out);
  EXPECT_EQ(out[0], 1.5F);
}

TEST_F(Hdf5HostileTest, AttributesAreCheckedLikeArrays) {
  Make([&](hid_t file) {
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    PutAttribute(file, "/", "variable", text, H5Screate(H5S_SCALAR), nullptr);
    const std::vector<hsize_t> square = {2, 2};
    const std::vector<int64_t> values(4);
    PutAttribute(file, "/", "square", H5T_STD_I64LE, H5Screate_simple(2, square.data(), nullptr),
                 values.data());
  });
  const Hdf5File file = Hdf5File::Open(Path());
  EXPECT_EQ(MessageOf([&] { file.GetAttribute("/", "variable"); }),
            Path() +
                ":/ attribute \"variable\": text of variable length; store fixed-length text "
                "(h5py: numpy.bytes_)");
  EXPECT_EQ(MessageOf([&] { file.GetAttribute("/", "square"); }),
            Path() + ":/ attribute \"square\": has 2 dimensions, expected a scalar or a list");
  EXPECT_THROW(file.GetAttributes("/"), Error);
}

TEST_F(Hdf5HostileTest, LoopsOfHardLinksEnd) {
  Make([&](hid_t file) {
    const hid_t group = H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", group, "up", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
  });
  const Hdf5File file = Hdf5File::Open(Path());
  EXPECT_TRUE(file.IsGroup("/g/up/g/up/g"));
  EXPECT_FALSE(file.Has("/g/up/g/up/x"));
}

}  // namespace
}  // namespace sparsify
