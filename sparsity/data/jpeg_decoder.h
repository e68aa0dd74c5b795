// The one door to libjpeg.
#pragma once

#include <string>
#include <string_view>

#include "sparsity/data/image.h"

namespace sparsify {

/// See DecodeImage.
Image DecodeJpeg(std::string_view bytes, const std::string& name);

}  // namespace sparsify
