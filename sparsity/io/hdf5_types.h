// What the hdf5_* files share about element types, shapes and fixed-length text.
#pragma once

#include <string>
#include <vector>

#include "sparsity/io/hdf5_file.h"
#include "sparsity/io/hdf5_handle.h"

namespace sparsify::hdf5 {

/// Throws on a type that Hdf5Type does not list (variable length, compound, enum …).
Hdf5Type TypeOf(hid_t type, const std::string& where);
/// Throws on an empty ("null") dataspace or a size beyond Shape's limit.
Shape ShapeOf(hid_t space, const std::string& where);

/// Fixed-length UTF-8, padded with NUL.
Id TextType(size_t width, const std::string& where);
/// Texts padded to one width, at least 1. Throws on a text that holds NUL.
struct PackedText {
  PackedText(const std::vector<std::string>& texts, const std::string& where);
  size_t width = 1;
  std::vector<char> bytes;
};
std::vector<std::string> UnpackText(const std::vector<char>& bytes, size_t width);

}  // namespace sparsify::hdf5
