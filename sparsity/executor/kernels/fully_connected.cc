#include "sparsity/executor/kernels/fully_connected.h"

#include <algorithm>

#include "sparsity/base/error.h"
#include "sparsity/executor/kernels/lane_kernels.h"
#include "sparsity/executor/kernels/parallel_range.h"

namespace sparsify {
namespace {

constexpr int64_t kMaskBits = 16;

}  // namespace

SparseLinear::SparseLinear(int64_t in, int64_t out, const float* weight, const float* bias,
                           const Activation& activation, const LaneContext& context)
    : in_(in), out_(out), activation_(activation), context_(context) {
  if (in < 1 || out < 1) {
    Fail("fully connected", "a weight of {}x{}, expected at least 1x1", out, in);
  }
  for (int64_t row = 0; row < out; ++row) {
    row_begin_.push_back(static_cast<int64_t>(values_.size()));
    for (int64_t first = 0; first < in; first += kMaskBits) {
      unsigned mask = 0;
      for (int64_t i = first; i < std::min(in, first + kMaskBits); ++i) {
        const float value = weight[row * in + i];
        if (value == 0.0F) continue;
        mask |= 1U << (i - first);
        values_.push_back(value);
      }
      masks_.push_back(static_cast<uint16_t>(mask));
    }
  }
  row_begin_.push_back(static_cast<int64_t>(values_.size()));
  values_.shrink_to_fit();
  bias_.assign(out, 0.0F);
  if (bias != nullptr) bias_.assign(bias, bias + out);
}

void SparseLinear::Run(const float* in, int64_t batch, float* out) const noexcept {
  const LaneKernels& kernels = LaneKernelsFor(context_.isa);
  const int64_t masks = (in_ + kMaskBits - 1) / kMaskBits;
  ParallelRange(context_.threads, out_, [&](int64_t row) {
    for (int64_t n = 0; n < batch; ++n) {
      const float sum = kernels.masked_dot(masks_.data() + row * masks,
                                           values_.data() + row_begin_[row], in + n * in_, in_);
      out[n * out_ + row] = Activate(activation_, sum + bias_[row]);
    }
  });
}

int64_t SparseLinear::constant_bytes() const {
  return static_cast<int64_t>(masks_.size() * sizeof(uint16_t) + values_.size() * sizeof(float) +
                              row_begin_.size() * sizeof(int64_t) + bias_.size() * sizeof(float));
}

}  // namespace sparsify
