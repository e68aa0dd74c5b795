// Bilinear resizing of 8-bit pictures, equal to what training pipelines did to theirs.
#pragma once

#include "sparsity/data/image.h"

namespace sparsify {

/// Separable convolution with a triangle of half-width max(1, in/out) input pixels (that is,
/// with antialiasing when shrinking), columns first, each pass rounded to 8 bits with 22-bit
/// fixed-point weights. The same arithmetic as Pillow's Image.resize(…, BILINEAR), to the
/// bit, and so as torchvision's Resize on Pillow images. `height` and `width` >= 1.
Image ResizeBilinear(const Image& image, int64_t height, int64_t width);

}  // namespace sparsify
