// JPEG and PNG files to pixels, told apart by their first bytes, not by their names.
//
// Colour profiles, gamma and orientation tags are not applied.
#pragma once

#include <string>
#include <string_view>

#include "sparsity/data/image.h"

namespace sparsify {

/// Decodes a whole file held in memory. JPEG: grey, YCbCr, RGB, and CMYK/YCCK (converted to
/// RGB without a profile). PNG: any bit depth and colour type; 16-bit samples keep their
/// high byte, palettes are expanded, transparency is dropped. Anything the codec warns
/// about (early end, bad codes, stray bytes) counts as broken. Throws Error starting with
/// `name`. Thread safe.
Image DecodeImage(std::string_view bytes, const std::string& name);

/// The same from a file of at most 500 MB; `path` is the name. Throws Error when it cannot be read.
Image ReadImage(const std::string& path);

}  // namespace sparsify
