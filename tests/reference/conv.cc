#include "tests/reference/conv.h"

namespace reference {
namespace {

int64_t OutputSize(int64_t input, int64_t kernel, const ConvSettings& s, size_t axis) {
  int64_t count = 0;
  const int64_t reach = (kernel - 1) * s.dilations[axis];
  for (int64_t start = -s.pads[axis]; start + reach < input + s.pads[axis + 2];
       start += s.strides[axis]) {
    ++count;
  }
  return count;
}

}  // namespace

Array Conv(const Array& x, const Array& w, const Array* bias, const ConvSettings& s) {
  const int64_t outputs_a_group = w.dims[0] / s.groups;
  const int64_t inputs_a_group = w.dims[1];
  Array y = Zeros({x.dims[0], w.dims[0], OutputSize(x.dims[2], w.dims[2], s, 0),
                   OutputSize(x.dims[3], w.dims[3], s, 1)});
  ForEach(y.dims, [&](const Dims& at) {
    double sum = bias != nullptr ? bias->At({at[1]}) : 0.0;
    const int64_t first_channel = at[1] / outputs_a_group * inputs_a_group;
    ForEach({inputs_a_group, w.dims[2], w.dims[3]}, [&](const Dims& tap) {
      const int64_t ih = at[2] * s.strides[0] - s.pads[0] + tap[1] * s.dilations[0];
      const int64_t iw = at[3] * s.strides[1] - s.pads[1] + tap[2] * s.dilations[1];
      if (ih < 0 || iw < 0 || ih >= x.dims[2] || iw >= x.dims[3]) return;
      sum += x.At({at[0], first_channel + tap[0], ih, iw}) * w.At({at[1], tap[0], tap[1], tap[2]});
    });
    y.At(at) = sum;
  });
  return y;
}

}  // namespace reference
