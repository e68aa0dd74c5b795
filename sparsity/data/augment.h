// Random views of the images of a dataset: where the crop lies, whether it is mirrored.
//
// What is random (Augmentation) is apart from what a view shows (View, plain numbers that mean
// the same for a picture of any size), so that loading stays a pure function of its arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/base/random.h"
#include "sparsity/tensor/shape.h"

namespace sparsify {

/// One view of a picture (Dataset::LoadView).
struct View {
  double top = 0.5;   // position of the crop in what the height has to spare, in [0, 1)
  double left = 0.5;  // the same for the width
  bool mirrored = false;
};

/// Which views are drawn, all equally likely.
struct Augmentation {
  bool crop = true;  // anywhere; else the centre
  bool flip = true;  // mirrored, left to right, every second time

  /// Takes the same count of random numbers whatever is switched off.
  View Draw(Random& random) const;
};

/// The pixel that each of the `crop` pixels of a view shows along one side of a picture of
/// `size` >= crop. `position` in [0, 1) is spread evenly over the offsets 0 … size − crop. A side
/// with nothing to spare is moved by −⌊crop/8⌋ … ⌊crop/8⌋ instead, and its edge pixel repeated.
std::vector<int64_t> ViewIndices(double position, bool mirrored, int64_t size, int64_t crop);

/// The view of `planes`, C×H×W of which nothing lies outside, as C×H×W.
void ApplyView(const View& view, const Shape& shape, const float* planes, float* result);

}  // namespace sparsify
