// 2-D convolution from its definition, one multiplication at a time.
#pragma once

#include "tests/reference/array.h"

namespace reference {

struct ConvSettings {
  Dims strides = {1, 1};
  Dims dilations = {1, 1};
  Dims pads = {0, 0, 0, 0};  // top, left, bottom, right
  int64_t groups = 1;
};

/// x[N,I,H,W], w[O,I/groups,KH,KW], bias[O] or null; y[N,O,OH,OW].
Array Conv(const Array& x, const Array& w, const Array* bias, const ConvSettings& settings);

}  // namespace reference
