// Pooling and means, window by window.
#pragma once

#include "tests/reference/array.h"

namespace reference {

struct PoolSettings {
  Dims kernel = {1, 1};
  Dims strides = {1, 1};
  Dims dilations = {1, 1};
  Dims pads = {0, 0, 0, 0};  // top, left, bottom, right
  bool ceil_mode = false;
  bool count_include_pad = false;  // AveragePool
};

Array MaxPool(const Array& x, const PoolSettings& settings);
Array AveragePool(const Array& x, const PoolSettings& settings);

/// Mean over the flagged dimensions, which stay with size 1.
Array Mean(const Array& x, const std::vector<bool>& reduced);

}  // namespace reference
