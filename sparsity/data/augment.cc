#include "sparsity/data/augment.h"

#include <algorithm>
#include <cmath>

namespace sparsify {

View Augmentation::Draw(Random& random) const {
  const double top = random.Uniform();
  const double left = random.Uniform();
  const bool mirrored = random.Uniform() < 0.5;
  View view;
  if (crop) {
    view.top = top;
    view.left = left;
  }
  view.mirrored = flip && mirrored;
  return view;
}

std::vector<int64_t> ViewIndices(double position, bool mirrored, int64_t size, int64_t crop) {
  constexpr int64_t kBorrowed = 8;  // a shift moves at most this part of the side
  const int64_t spare = size - crop;
  const int64_t low = spare > 0 ? 0 : -(crop / kBorrowed);
  const int64_t high = spare > 0 ? spare : crop / kBorrowed;
  const auto step =
      static_cast<int64_t>(std::floor(position * static_cast<double>(high - low + 1)));
  const int64_t offset = low + std::clamp<int64_t>(step, 0, high - low);
  std::vector<int64_t> indices(static_cast<size_t>(crop));
  for (int64_t k = 0; k < crop; ++k) {
    const int64_t from = offset + (mirrored ? crop - 1 - k : k);
    indices[static_cast<size_t>(k)] = std::clamp<int64_t>(from, 0, size - 1);
  }
  return indices;
}

void ApplyView(const View& view, const Shape& shape, const float* planes, float* result) {
  const std::vector<int64_t> rows = ViewIndices(view.top, false, shape[1], shape[1]);
  const std::vector<int64_t> columns = ViewIndices(view.left, view.mirrored, shape[2], shape[2]);
  for (int64_t c = 0; c < shape[0]; ++c) {
    const float* plane = planes + c * shape[1] * shape[2];
    for (const int64_t row : rows) {
      for (const int64_t column : columns) *result++ = plane[row * shape[2] + column];
    }
  }
}

}  // namespace sparsify
