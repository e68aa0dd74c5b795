// Fully connected layers at small batch: bound by the memory that holds the weights, so a
// pruned weight is kept as a bitmask with its nonzero values packed behind one another.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/kernels/epilogue.h"
#include "sparsity/executor/kernels/lane_ops.h"

namespace sparsify {

class SparseLinear {
 public:
  /// weight: out×in, pruned where zero; bias: out or null. Both are copied.
  /// Throws Error on sizes below 1.
  SparseLinear(int64_t in, int64_t out, const float* weight, const float* bias,
               const Activation& activation, const LaneContext& context);

  /// in: batch×in, out: batch×out, contiguous; they do not overlap. No allocation.
  void Run(const float* in, int64_t batch, float* out) const noexcept;

  /// Bytes of masks, values and bias.
  int64_t constant_bytes() const;

 private:
  int64_t in_;
  int64_t out_;
  Activation activation_;
  LaneContext context_;
  std::vector<uint16_t> masks_;     // out × ceil(in/16), one bit a weight
  std::vector<float> values_;       // nonzeros in row order
  std::vector<int64_t> row_begin_;  // out + 1 indices into values_
  std::vector<float> bias_;
};

}  // namespace sparsify
