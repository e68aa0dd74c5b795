#include "sparsity/ops/channel_scale.h"

#include <algorithm>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/channel_blocks.h"
#include "sparsity/ops/vector_loops.h"

namespace sparsify {
namespace {

static_assert(kChannelBlock == kLanes);
constexpr float kNoShift[kLanes] = {};

// body(position of the block's memory, of its lanes in N×C×1×1) for every block of N×C×H×W.
template <class Body>
void ForBlocks(const Shape& shape, const Body& body) {
  const int64_t size = shape[2] * shape[3] * kLanes;
  ParallelFor(shape[0] * shape[1] / kLanes,
              [&](int64_t block) { body(block * size, block * kLanes); });
}

int64_t Area(const Shape& shape) { return shape[2] * shape[3]; }

}  // namespace

void ChannelMeansBlocked(const Tensor& x, Tensor& means) {
  const int64_t area = Area(x.shape());
  ForBlocks(x.shape(), [&](int64_t at, int64_t lanes) {
    double sums[kLanes] = {};
    double squares[kLanes] = {};  // not wanted
    LaneMoments(x.data() + at, kNoShift, area, sums, squares);
    for (int64_t l = 0; l < kLanes; ++l) {
      means[lanes + l] = static_cast<float>(sums[l] / static_cast<double>(area));
    }
  });
}

void ChannelMeansBlockedBackward(const Tensor& grad_means, Tensor& grad_x) {
  const int64_t area = Area(grad_x.shape());
  ForBlocks(grad_x.shape(), [&](int64_t at, int64_t lanes) {
    float share[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) {
      share[l] = grad_means[lanes + l] / static_cast<float>(area);
    }
    for (int64_t row = 0; row < area; ++row) {
      std::copy_n(share, kLanes, grad_x.data() + at + row * kLanes);
    }
  });
}

int ScaledInput(OpShapes inputs) {
  for (const int wide : {0, 1}) {
    const Shape& x = inputs[static_cast<size_t>(wide)];
    const Shape& factors = inputs[static_cast<size_t>(1 - wide)];
    if (x.rank() == 4 && x[1] % kChannelBlock == 0 && Area(x) > 1 &&
        factors == Shape{x[0], x[1], 1, 1}) {
      return wide;
    }
  }
  return -1;
}

void ScaleChannelsBlocked(const Tensor& x, const Tensor& factors, Tensor& y) {
  ForBlocks(x.shape(), [&](int64_t at, int64_t lanes) {
    ScaleLanes(x.data() + at, factors.data() + lanes, kNoShift, Area(x.shape()), y.data() + at);
  });
}

void ScaleChannelsBlockedBackward(const Tensor& x, const Tensor& factors, const Tensor& grad_y,
                                  Tensor* grad_x, Tensor* grad_factors) {
  if (grad_x != nullptr) ScaleChannelsBlocked(grad_y, factors, *grad_x);
  if (grad_factors == nullptr) return;
  ForBlocks(x.shape(), [&](int64_t at, int64_t lanes) {
    double sums[kLanes] = {};  // not wanted
    double dots[kLanes] = {};
    LaneDots(grad_y.data() + at, x.data() + at, Area(x.shape()), sums, dots);
    for (int64_t l = 0; l < kLanes; ++l) {
      (*grad_factors)[lanes + l] = static_cast<float>(dots[l]);
    }
  });
}

}  // namespace sparsify
