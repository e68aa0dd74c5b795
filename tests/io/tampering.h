// Hostile HDF5 files for tests: libhdf5 used directly, sharing no code with the product.
#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/io/sample_checkpoint.h"

namespace sparsify {

/// Writes a right seal for whatever the file holds (docs/checkpoint_format.md, "Seal").
inline void Seal(std::vector<char>& bytes, uint32_t major = 1, uint32_t minor = 0) {
  const auto crc = [&](size_t from, size_t to) {
    return static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const unsigned char*>(&bytes[from]), to - from));
  };
  const uint64_t size = bytes.size();
  std::memcpy(&bytes[0], "SPARSIFY", 8);
  std::memcpy(&bytes[8], &major, 4);
  std::memcpy(&bytes[12], &minor, 4);
  std::memcpy(&bytes[16], &size, 8);
  const uint32_t content = crc(512, bytes.size());
  std::memcpy(&bytes[24], &content, 4);
  const uint32_t header = crc(0, 28);
  std::memcpy(&bytes[28], &header, 4);
}

inline void SealFile(const std::string& path, uint32_t major = 1, uint32_t minor = 0) {
  std::vector<char> bytes = FileBytes(path);
  Seal(bytes, major, minor);
  WriteBytes(path, bytes);
}

/// Opens the file for changes, calls `change`, closes it.
inline void Tamper(const std::string& path, const std::function<void(hid_t file)>& change) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, access);
  ASSERT_GE(file, 0) << path;
  change(file);
  ASSERT_GE(H5Fclose(file), 0);
  H5Pclose(access);
}

inline void Delete(hid_t file, const std::string& object) {
  ASSERT_GE(H5Ldelete(file, object.c_str(), H5P_DEFAULT), 0) << object;
}

/// An object's attribute, replaced.
inline void PutAttribute(hid_t file, const std::string& object, const std::string& name, hid_t type,
                         hid_t space, const void* data) {
  const hid_t id = H5Oopen(file, object.c_str(), H5P_DEFAULT);
  ASSERT_GE(id, 0) << object;
  if (H5Aexists(id, name.c_str()) > 0) H5Adelete(id, name.c_str());
  const hid_t attribute = H5Acreate2(id, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(attribute, 0);
  if (data != nullptr) {
    ASSERT_GE(H5Awrite(attribute, type, data), 0);
  }
  H5Aclose(attribute);
  H5Oclose(id);
}

inline void PutInt(hid_t file, const std::string& object, const std::string& name, int64_t value) {
  PutAttribute(file, object, name, H5T_STD_I64LE, H5Screate(H5S_SCALAR), &value);
}

/// Texts of at most 31 bytes; one text makes a scalar when `scalar`.
inline void PutText(hid_t file, const std::string& object, const std::string& name,
                    const std::vector<std::string>& texts, bool scalar) {
  std::vector<char> bytes(32 * texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    std::memcpy(&bytes[32 * i], texts[i].data(), texts[i].size());
  }
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, 32);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hsize_t count = texts.size();
  PutAttribute(file, object, name, type,
               scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr), bytes.data());
}

/// A new dataset, written when `data` is given.
inline void PutDataset(hid_t file, const std::string& object, hid_t type,
                       const std::vector<hsize_t>& dims, hid_t properties, const void* data) {
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t id =
      H5Dcreate2(file, object.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  ASSERT_GE(id, 0) << object;
  if (data != nullptr) {
    ASSERT_GE(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
  }
  H5Dclose(id);
  H5Sclose(space);
}

}  // namespace sparsify
