#include "sparsity/ops/axis_gather.h"

#include <algorithm>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

// Offset in x of the output row with this number, or kOutside.
int64_t RowOffset(const AxisGather& gather, int64_t row) {
  int64_t offset = 0;
  for (size_t axis = gather.offsets.size() - 1; axis-- > 0;) {
    const auto& of_axis = gather.offsets[axis];
    const auto count = static_cast<int64_t>(of_axis.size());
    const int64_t step = of_axis[static_cast<size_t>(row % count)];
    if (step == AxisGather::kOutside) return AxisGather::kOutside;
    offset += step;
    row /= count;
  }
  return offset;
}

// Distinct offsets along the outermost axis lead to separate parts of x.
bool OutermostIsDistinct(const AxisGather& gather) {
  std::vector<int64_t> offsets = gather.offsets.front();
  std::erase(offsets, AxisGather::kOutside);
  std::sort(offsets.begin(), offsets.end());
  return std::adjacent_find(offsets.begin(), offsets.end()) == offsets.end();
}

}  // namespace

std::vector<int64_t> RowMajorSteps(const Shape& shape) {
  std::vector<int64_t> steps(static_cast<size_t>(shape.rank()), 1);
  for (size_t i = steps.size(); i-- > 1;) steps[i - 1] = steps[i] * shape.dims()[i];
  return steps;
}

void Gather(const AxisGather& gather, const Tensor& x, Tensor& y) {
  if (gather.offsets.empty()) {
    y[0] = x[0];
    return;
  }
  const auto& columns = gather.offsets.back();
  const auto length = static_cast<int64_t>(columns.size());
  constexpr int64_t kChunk = 1 << 13;  // elements a task, at least one row
  const int64_t rows = y.size() / length;
  const int64_t together = std::max<int64_t>(1, kChunk / length);
  ParallelFor((rows + together - 1) / together, [&](int64_t task) {
    for (int64_t row = task * together; row < std::min(rows, (task + 1) * together); ++row) {
      const int64_t base = RowOffset(gather, row);
      float* to = y.data() + row * length;
      for (const int64_t column : columns) {
        const bool inside = base != AxisGather::kOutside && column != AxisGather::kOutside;
        *to++ = inside ? x[base + column] : gather.fill;
      }
    }
  });
}

void ScatterAdd(const AxisGather& gather, const Tensor& grad_y, Tensor& grad_x) {
  grad_x.Fill(0);
  if (gather.offsets.empty()) {
    grad_x[0] = grad_y[0];
    return;
  }
  const auto& columns = gather.offsets.back();
  const auto length = static_cast<int64_t>(columns.size());
  const int64_t rows = grad_y.size() / length;
  const bool separate = gather.offsets.size() > 1 && OutermostIsDistinct(gather);
  const int64_t tasks = separate ? static_cast<int64_t>(gather.offsets.front().size()) : 1;
  ParallelFor(tasks, [&](int64_t task) {
    for (int64_t row = task * rows / tasks; row < (task + 1) * rows / tasks; ++row) {
      const int64_t base = RowOffset(gather, row);
      if (base == AxisGather::kOutside) continue;
      const float* from = grad_y.data() + row * length;
      for (int64_t i = 0; i < length; ++i) {
        const int64_t column = columns[static_cast<size_t>(i)];
        if (column != AxisGather::kOutside) grad_x[base + column] += from[i];
      }
    }
  });
}

}  // namespace sparsify
