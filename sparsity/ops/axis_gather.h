// y[i, j, …] = x[index0[i], index1[j], …]: the walk that Slice, Pad, Transpose and the
// nearest-neighbour Resize share.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// One list an output axis: the offset in `x` that each output index adds; kOutside if the
/// element is not in `x` and takes `fill` instead.
struct AxisGather {
  static constexpr int64_t kOutside = -1;
  std::vector<std::vector<int64_t>> offsets;
  float fill = 0;
};

/// Row-major step of every dimension of `shape`.
std::vector<int64_t> RowMajorSteps(const Shape& shape);

/// `y` is sized by the caller: dimension a equals offsets[a].size().
void Gather(const AxisGather& gather, const Tensor& x, Tensor& y);

/// Its transpose: every element of `grad_x` is the sum of the elements of `grad_y` that Gather
/// copies from it; 0 where there is none.
void ScatterAdd(const AxisGather& gather, const Tensor& grad_y, Tensor& grad_x);

}  // namespace sparsify
