#include "sparsity/ops/pool.h"

#include <algorithm>
#include <limits>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/vector_loops.h"
#include "sparsity/ops/window.h"

namespace sparsify {
namespace {

Window Resolve(const Node& node, const Shape& input) {
  if (input.rank() != 4) {
    FailNode(node, "input {} must have 4 dimensions (2-D pooling only)", input.ToString());
  }
  const auto kernel = node.attributes.Ints("kernel_shape", {});
  if (kernel.size() != 2) {
    FailNode(node, "attribute kernel_shape has {} values, 2 expected", kernel.size());
  }
  const Window window = ResolveWindow(node, input, kernel[0], kernel[1]);
  for (const WindowAxis& axis : {window.height, window.width}) {
    if (axis.pad_begin >= axis.Extent() || axis.pad_end >= axis.Extent()) {
      FailNode(node, "pads {} and {} must be smaller than the window of {} positions",
               axis.pad_begin, axis.pad_end, axis.Extent());
    }
  }
  return window;
}

// Folds every tap of one plane into `y` with `combine`. Taps in the padding are left out.
template <class F>
void FoldPlane(const Window& window, const float* x, float* y, F combine) {
  const WindowAxis& h = window.height;
  const WindowAxis& w = window.width;
  for (int64_t oh = 0; oh < h.output; ++oh) {
    float* row = y + oh * w.output;
    const int64_t top = oh * h.stride - h.pad_begin;
    const int64_t kh_begin = top < 0 ? (-top + h.dilation - 1) / h.dilation : 0;
    for (int64_t kh = kh_begin; kh < h.kernel && top + kh * h.dilation < h.input; ++kh) {
      const float* in = x + (top + kh * h.dilation) * w.input;
      for (int64_t kw = 0; kw < w.kernel; ++kw) {
        const TapRange range = ValidOutputs(w, kw * w.dilation);
        const float* shifted = in - w.pad_begin + kw * w.dilation;
        for (int64_t ow = range.begin; ow < range.end; ++ow) {
          row[ow] = combine(row[ow], shifted[ow * w.stride]);
        }
      }
    }
  }
}

// Taps of each output position that count in an average.
std::vector<float> TapCounts(const WindowAxis& axis, bool include_pad) {
  const int64_t low = include_pad ? -axis.pad_begin : 0;
  const int64_t high = axis.input + (include_pad ? axis.pad_end : 0);
  std::vector<float> counts;
  for (int64_t o = 0; o < axis.output; ++o) {
    const int64_t start = o * axis.stride - axis.pad_begin;
    const int64_t first = start < low ? (low - start + axis.dilation - 1) / axis.dilation : 0;
    const int64_t room = high - 1 - start;
    const int64_t last = room < 0 ? -1 : std::min(axis.kernel - 1, room / axis.dilation);
    counts.push_back(static_cast<float>(std::max<int64_t>(0, last - first + 1)));
  }
  return counts;
}

// Calls body(flat index in the input plane) for every tap inside the input of one output.
template <class F>
void VisitTaps(const Window& window, int64_t oh, int64_t ow, F body) {
  const WindowAxis& h = window.height;
  const WindowAxis& w = window.width;
  for (int64_t kh = 0; kh < h.kernel; ++kh) {
    const int64_t y = oh * h.stride - h.pad_begin + kh * h.dilation;
    if (y < 0 || y >= h.input) continue;
    for (int64_t kw = 0; kw < w.kernel; ++kw) {
      const int64_t x = ow * w.stride - w.pad_begin + kw * w.dilation;
      if (x >= 0 && x < w.input) body(y * w.input + x);
    }
  }
}

// For every output of row `oh` of one plane: the flat index of the first of its largest inputs.
void FindLargest(const Window& window, const float* x, int64_t oh, std::vector<float>& largest,
                 std::vector<int32_t>& where) {
  const WindowAxis& h = window.height;
  const WindowAxis& w = window.width;
  std::fill(where.begin(), where.end(), -1);
  for (int64_t kh = 0; kh < h.kernel; ++kh) {
    const int64_t y = oh * h.stride - h.pad_begin + kh * h.dilation;
    if (y < 0 || y >= h.input) continue;
    for (int64_t kw = 0; kw < w.kernel; ++kw) {
      const TapRange range = ValidOutputs(w, kw * w.dilation);
      const auto first = static_cast<int32_t>(y * w.input - w.pad_begin + kw * w.dilation);
      const auto stride = static_cast<int32_t>(w.stride);
      float* best = largest.data();
      int32_t* at = where.data();
      for (auto ow = static_cast<int32_t>(range.begin); ow < range.end; ++ow) {
        const int32_t i = first + ow * stride;
        const bool larger = (x[i] > best[ow]) | (at[ow] < 0);
        best[ow] = larger ? x[i] : best[ow];
        at[ow] = larger ? i : at[ow];
      }
    }
  }
}

// Clears the gradient, then calls body(the plane's offset in x, oh, ow, flat output index).
template <class F>
void ForEachOutput(const Window& window, Tensor& grad_x, F body) {
  const int64_t in_area = window.height.input * window.width.input;
  ParallelFor(grad_x.size() / in_area, [&](int64_t plane) {
    std::fill_n(grad_x.data() + plane * in_area, in_area, 0.0F);
    int64_t at = plane * window.height.output * window.width.output;
    for (int64_t oh = 0; oh < window.height.output; ++oh) {
      for (int64_t ow = 0; ow < window.width.output; ++ow) body(plane * in_area, oh, ow, at++);
    }
  });
}

}  // namespace

std::vector<Shape> PoolOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  const Window window = Resolve(node, inputs[0]);
  return {{inputs[0][0], inputs[0][1], window.height.output, window.width.output}};
}

void MaxPoolForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = inputs[0]->shape();
  const Window window = Resolve(node, shape);
  const int64_t in_area = window.height.input * window.width.input;
  const int64_t out_area = window.height.output * window.width.output;
  ParallelFor(shape[0] * shape[1], [&](int64_t plane) {
    float* y = outputs[0]->data() + plane * out_area;
    std::fill_n(y, out_area, std::numeric_limits<float>::lowest());
    FoldPlane(window, inputs[0]->data() + plane * in_area, y,
              [](float best, float x) { return x > best ? x : best; });
  });
}

void AveragePoolForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = inputs[0]->shape();
  const Window window = Resolve(node, shape);
  const bool include_pad = node.attributes.Int("count_include_pad", 0) != 0;
  const auto rows = TapCounts(window.height, include_pad);
  const auto columns = TapCounts(window.width, include_pad);
  const int64_t in_area = window.height.input * window.width.input;
  const int64_t out_area = window.height.output * window.width.output;
  ParallelFor(shape[0] * shape[1], [&](int64_t plane) {
    float* y = outputs[0]->data() + plane * out_area;
    std::fill_n(y, out_area, 0.0F);
    FoldPlane(window, inputs[0]->data() + plane * in_area, y,
              [](float sum, float x) { return sum + x; });
    for (const float row_count : rows) {
      for (const float column_count : columns) {
        *y /= std::max(1.0F, row_count * column_count);  // no tap inside: 0
        ++y;
      }
    }
  });
}

void MaxPoolBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                     OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  const Window window = Resolve(node, inputs[0]->shape());
  const int64_t in_area = window.height.input * window.width.input;
  const int64_t columns = window.width.output;
  ParallelFor(inputs[0]->size() / in_area, [&](int64_t plane) {
    std::vector<float> largest(static_cast<size_t>(columns));
    std::vector<int32_t> where(static_cast<size_t>(columns));
    float* grad_x = grad_inputs[0]->data() + plane * in_area;
    const float* grad_y = grad_outputs[0]->data() + plane * window.height.output * columns;
    std::fill_n(grad_x, in_area, 0.0F);
    for (int64_t oh = 0; oh < window.height.output; ++oh, grad_y += columns) {
      FindLargest(window, inputs[0]->data() + plane * in_area, oh, largest, where);
      for (size_t ow = 0; ow < where.size(); ++ow) {
        if (where[ow] >= 0) grad_x[where[ow]] += grad_y[ow];
      }
    }
  });
}

void MaxPoolBlocked(const Node& node, const Tensor& x, Tensor& y) {
  const Window window = Resolve(node, x.shape());
  const int64_t blocks = x.shape()[0] * x.shape()[1] / kLanes;
  ParallelFor(blocks, [&](int64_t block) {
    MaxLanes(window, x.data() + block * (x.size() / blocks),
             y.data() + block * (y.size() / blocks));
  });
}

void MaxPoolBlockedBackward(const Node& node, const Tensor& x, const Tensor& y,
                            const Tensor& grad_y, Tensor& grad_x) {
  const Window window = Resolve(node, x.shape());
  const int64_t blocks = x.shape()[0] * x.shape()[1] / kLanes;
  const int64_t in = x.size() / blocks;
  const int64_t out = y.size() / blocks;
  ParallelFor(blocks, [&](int64_t block) {
    float* grad = grad_x.data() + block * in;
    std::fill_n(grad, in, 0.0F);
    MaxLanesGradient(window, x.data() + block * in, y.data() + block * out,
                     grad_y.data() + block * out, grad);
  });
}

void AveragePoolBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/,
                         OpInputs grad_outputs, OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  Tensor& grad_x = *grad_inputs[0];
  const Window window = Resolve(node, inputs[0]->shape());
  const bool include_pad = node.attributes.Int("count_include_pad", 0) != 0;
  const auto rows = TapCounts(window.height, include_pad);
  const auto columns = TapCounts(window.width, include_pad);
  ForEachOutput(window, grad_x, [&](int64_t plane, int64_t oh, int64_t ow, int64_t at) {
    const float taps = rows[static_cast<size_t>(oh)] * columns[static_cast<size_t>(ow)];
    const float share = (*grad_outputs[0])[at] / std::max(1.0F, taps);
    VisitTaps(window, oh, ow, [&](int64_t i) { grad_x[plane + i] += share; });
  });
}

}  // namespace sparsify
