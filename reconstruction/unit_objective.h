// What reconstruction by steps minimises: the squared difference of a unit's outputs.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Mean over batch and positions of Σ over channels of (student − teacher)², for N×C×… tensors of
/// one shape. Where `gradient` is not null it is resized and set to the loss's gradient in
/// `student`. Sums are double precision and do not depend on the thread count.
double SquaredError(const Tensor& student, const Tensor& teacher, Tensor* gradient);

/// Means and variances of every channel over batch and positions, added up batch by batch.
class ChannelMoments {
 public:
  /// N×C×…; C must be that of earlier calls.
  void Add(const Tensor& rows);

  std::vector<double> Means() const;
  /// Σ over channels of the variance.
  double SummedVariance() const;

 private:
  int64_t count_ = 0;  // batch × positions
  std::vector<double> sums_;
  std::vector<double> squares_;
};

}  // namespace sparsify
