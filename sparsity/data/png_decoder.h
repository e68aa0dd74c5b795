// The one door to libpng.
#pragma once

#include <string>
#include <string_view>

#include "sparsity/data/image.h"

namespace sparsify {

/// See DecodeImage.
Image DecodePng(std::string_view bytes, const std::string& name);

}  // namespace sparsify
