// Operators that move or resample elements: Concat, Slice, Pad, Transpose, Resize.
#pragma once

#include <string>

#include "tests/reference/array.h"

namespace reference {

Array Concat(const std::vector<Array>& parts, size_t axis);

/// Python's x[…, start:end:step, …] along one axis, except that a backward walk from before the
/// first element starts there (ONNX).
Array Slice(const Array& x, size_t axis, int64_t start, int64_t end, int64_t step);

/// mode: constant, reflect or edge (numpy.pad); negative pads crop (constant only).
Array Pad(const Array& x, const Dims& begin, const Dims& end, const std::string& mode,
          double value);

Array Transpose(const Array& x, const std::vector<size_t>& perm);

struct ResizeSettings {
  std::string mode = "nearest";  // or linear
  std::string coordinates = "half_pixel";
  std::string rounding = "round_prefer_floor";
};
/// scale[i] = output / input as given; output dimensions in `dims` (ONNX Resize).
Array Resize(const Array& x, const Dims& dims, const std::vector<double>& scale,
             const ResizeSettings& settings);

}  // namespace reference
