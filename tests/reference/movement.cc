#include "tests/reference/movement.h"

#include <algorithm>
#include <cmath>

namespace reference {
namespace {

double Coordinate(const ResizeSettings& s, double i, double input, double output, double scale) {
  if (s.coordinates == "asymmetric") return i / scale;
  if (s.coordinates == "align_corners") return output == 1 ? 0 : i * (input - 1) / (output - 1);
  if (s.coordinates == "pytorch_half_pixel" && output == 1) return 0;
  return (i + 0.5) / scale - 0.5;
}

double Round(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  const double fraction = x - std::floor(x);
  if (fraction == 0.5) return mode == "round_prefer_ceil" ? std::ceil(x) : std::floor(x);
  return fraction < 0.5 ? std::floor(x) : std::ceil(x);
}

int64_t Clamp(double x, int64_t size) {
  return std::max<int64_t>(0, std::min<int64_t>(size - 1, static_cast<int64_t>(x)));
}

// The 2^rank corner average, each corner weighted by the product of its axis weights.
double Interpolate(const Array& x, const std::vector<double>& at) {
  double sum = 0;
  ForEach(Dims(at.size(), 2), [&](const Dims& corner) {
    double weight = 1;
    Dims index(at.size());
    for (size_t i = 0; i < at.size(); ++i) {
      const double inside = std::max(0.0, std::min(at[i], static_cast<double>(x.dims[i]) - 1));
      const double low = std::floor(inside);
      weight *= corner[i] == 0 ? 1 - (inside - low) : inside - low;
      index[i] = Clamp(low + static_cast<double>(corner[i]), x.dims[i]);
    }
    sum += weight * x.At(index);
  });
  return sum;
}

}  // namespace

Array Concat(const std::vector<Array>& parts, size_t axis) {
  Dims dims = parts[0].dims;
  dims[axis] = 0;
  for (const Array& part : parts) dims[axis] += part.dims[axis];
  Array y = Zeros(dims);
  int64_t start = 0;
  for (const Array& part : parts) {
    ForEach(part.dims, [&](const Dims& at) {
      Dims to = at;
      to[axis] += start;
      y.At(to) = part.At(at);
    });
    start += part.dims[axis];
  }
  return y;
}

Array Slice(const Array& x, size_t axis, int64_t start, int64_t end, int64_t step) {
  const int64_t size = x.dims[axis];
  if (start < 0) start += size;
  if (end < 0) end += size;
  std::vector<int64_t> kept;
  if (step > 0) {
    for (int64_t i = std::max<int64_t>(0, start); i < std::min(size, end); i += step) {
      kept.push_back(i);
    }
  } else {
    for (int64_t i = std::max<int64_t>(0, std::min(size - 1, start));
         i > std::max<int64_t>(-1, end); i += step) {
      kept.push_back(i);
    }
  }
  Dims dims = x.dims;
  dims[axis] = static_cast<int64_t>(kept.size());
  Array y = Zeros(dims);
  ForEach(dims, [&](const Dims& at) {
    Dims from = at;
    from[axis] = kept[static_cast<size_t>(at[axis])];
    y.At(at) = x.At(from);
  });
  return y;
}

Array Pad(const Array& x, const Dims& begin, const Dims& end, const std::string& mode,
          double value) {
  Dims dims = x.dims;
  for (size_t i = 0; i < dims.size(); ++i) dims[i] += begin[i] + end[i];
  Array y = Zeros(dims);
  ForEach(dims, [&](const Dims& at) {
    Dims from = at;
    bool outside = false;
    for (size_t i = 0; i < at.size(); ++i) {
      from[i] -= begin[i];
      const int64_t last = x.dims[i] - 1;
      if (mode == "edge") from[i] = std::max<int64_t>(0, std::min(last, from[i]));
      if (mode == "reflect" && from[i] < 0) from[i] = -from[i];
      if (mode == "reflect" && from[i] > last) from[i] = last - (from[i] - last);
      outside = outside || from[i] < 0 || from[i] > last;
    }
    y.At(at) = outside ? value : x.At(from);
  });
  return y;
}

Array Transpose(const Array& x, const std::vector<size_t>& perm) {
  Dims dims;
  for (const size_t axis : perm) dims.push_back(x.dims[axis]);
  Array y = Zeros(dims);
  ForEach(dims, [&](const Dims& at) {
    Dims from(at.size());
    for (size_t i = 0; i < perm.size(); ++i) from[perm[i]] = at[i];
    y.At(at) = x.At(from);
  });
  return y;
}

Array Resize(const Array& x, const Dims& dims, const std::vector<double>& scale,
             const ResizeSettings& settings) {
  Array y = Zeros(dims);
  ForEach(dims, [&](const Dims& at) {
    std::vector<double> from;
    Dims nearest;
    for (size_t i = 0; i < at.size(); ++i) {
      from.push_back(Coordinate(settings, static_cast<double>(at[i]),
                                static_cast<double>(x.dims[i]), static_cast<double>(dims[i]),
                                scale[i]));
      nearest.push_back(Clamp(Round(settings.rounding, from.back()), x.dims[i]));
    }
    y.At(at) = settings.mode == "linear" ? Interpolate(x, from) : x.At(nearest);
  });
  return y;
}

}  // namespace reference
