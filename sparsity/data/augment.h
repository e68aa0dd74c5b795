// Random views of the images of a dataset: where the crop lies and how large it is, whether it is
// mirrored, how its colours are shifted.
//
// What is random (Augmentation) is apart from what a view shows (View, plain numbers that mean
// the same for a picture of any size), so that loading stays a pure function of its arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/base/random.h"
#include "sparsity/data/image.h"
#include "sparsity/tensor/shape.h"

namespace sparsify {

/// One view of a picture (Dataset::LoadView).
struct View {
  double top = 0.5;   // position of the crop in what the height has to spare, in [0, 1)
  double left = 0.5;  // the same for the width
  bool mirrored = false;
  /// Share of the picture's area that is cropped and then resized to the network's input, and how
  /// many times as wide as high the crop is; 0: the input's own size is cropped, nothing is
  /// resized.
  double area = 0;
  double aspect = 1;
  // Factors, 1: as it is. Contrast is about the mean grey, saturation about each pixel's grey.
  double brightness = 1;
  double contrast = 1;
  double saturation = 1;

  bool ChangesColors() const { return brightness != 1 || contrast != 1 || saturation != 1; }
};

/// Which views are drawn, all equally likely.
struct Augmentation {
  bool crop = true;  // anywhere; else the centre
  bool flip = true;  // mirrored, left to right, every second time
  /// Below 1: crops of this share of the area to all of it, with sides of 3:4 to 4:3 (Szegedy et
  /// al., "Going Deeper with Convolutions", 2015), resized.
  double min_area = 1;
  // Factors are drawn from 1 − x … 1 + x, not below 0.
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;

  /// Takes the same count of random numbers whatever is switched off.
  View Draw(Random& random) const;
};

/// The pixel that each of the `crop` pixels of a view shows along one side of a picture of
/// `size` >= crop. `position` in [0, 1) is spread evenly over the offsets 0 … size − crop. A side
/// with nothing to spare is moved by −⌊crop/8⌋ … ⌊crop/8⌋ instead, and its edge pixel repeated.
std::vector<int64_t> ViewIndices(double position, bool mirrored, int64_t size, int64_t crop);

/// The crop of a view, `height`×`width`, with its colours but not mirrored.
Image CropPicture(const Image& picture, const View& view, int64_t height, int64_t width);

/// The view of `planes`, C×H×W of which nothing lies outside, as C×H×W, resized bilinearly. Throws
/// Error when it changes colours: these are not pixels.
void ApplyView(const View& view, const Shape& shape, const float* planes, float* result);

}  // namespace sparsify
