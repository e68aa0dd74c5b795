#include "tests/reference/pool.h"

#include <algorithm>
#include <limits>

namespace reference {
namespace {

// Slides a window until it leaves the padded input; in ceil mode one that sticks out still
// counts unless it starts beyond the input.
int64_t OutputSize(int64_t input, const PoolSettings& s, size_t axis) {
  const int64_t padded_end = input + s.pads[axis + 2];
  int64_t count = 0;
  for (int64_t start = -s.pads[axis];; start += s.strides[axis]) {
    const int64_t end = start + (s.kernel[axis] - 1) * s.dilations[axis] + 1;
    if (end > padded_end && (!s.ceil_mode || start >= input)) return count;
    ++count;
    if (end >= padded_end) return count;
  }
}

struct Tap {
  double value = 0;
  bool inside = false;     // of the input
  bool in_padded = false;  // of the padded input
};

std::vector<Tap> Taps(const Array& x, const PoolSettings& s, const Dims& at) {
  std::vector<Tap> taps;
  ForEach(s.kernel, [&](const Dims& k) {
    const int64_t h = at[2] * s.strides[0] - s.pads[0] + k[0] * s.dilations[0];
    const int64_t w = at[3] * s.strides[1] - s.pads[1] + k[1] * s.dilations[1];
    Tap tap;
    tap.inside = h >= 0 && w >= 0 && h < x.dims[2] && w < x.dims[3];
    tap.in_padded = h < x.dims[2] + s.pads[2] && w < x.dims[3] + s.pads[3];
    if (tap.inside) tap.value = x.At({at[0], at[1], h, w});
    taps.push_back(tap);
  });
  return taps;
}

Array Empty(const Array& x, const PoolSettings& s) {
  return Zeros({x.dims[0], x.dims[1], OutputSize(x.dims[2], s, 0), OutputSize(x.dims[3], s, 1)});
}

}  // namespace

Array MaxPool(const Array& x, const PoolSettings& settings) {
  Array y = Empty(x, settings);
  ForEach(y.dims, [&](const Dims& at) {
    double best = std::numeric_limits<float>::lowest();
    for (const Tap& tap : Taps(x, settings, at)) {
      if (tap.inside) best = std::max(best, tap.value);
    }
    y.At(at) = best;
  });
  return y;
}

Array AveragePool(const Array& x, const PoolSettings& settings) {
  Array y = Empty(x, settings);
  ForEach(y.dims, [&](const Dims& at) {
    double sum = 0;
    double count = 0;
    for (const Tap& tap : Taps(x, settings, at)) {
      sum += tap.value;
      count += (settings.count_include_pad ? tap.in_padded : tap.inside) ? 1 : 0;
    }
    y.At(at) = count > 0 ? sum / count : 0;
  });
  return y;
}

Array Mean(const Array& x, const std::vector<bool>& reduced) {
  Dims dims = x.dims;
  double count = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!reduced[i]) continue;
    count *= static_cast<double>(dims[i]);
    dims[i] = 1;
  }
  Array y = Zeros(dims);
  ForEach(x.dims, [&](const Dims& at) {
    Dims to = at;
    for (size_t i = 0; i < to.size(); ++i) {
      if (reduced[i]) to[i] = 0;
    }
    y.At(to) += x.At(at) / count;
  });
  return y;
}

}  // namespace reference
