// Adam (Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1)
// for one tensor.
#pragma once

#include <cstdint>
#include <span>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

class Adam {
 public:
  /// For a parameter of `size` elements; both moments start at zero.
  explicit Adam(int64_t size, const AdamOptions& options = {});

  /// parameter −= rate · scale · m̂ / (√v̂ + ε) with the moments updated by `gradient`. `scales` is
  /// empty (scale 1) or holds a factor for each of equal, consecutive parts of the parameter
  /// (its output channels). An element whose gradient has always been 0 stays bit for bit, so
  /// masking the gradient holds a mask. Throws Error when sizes differ.
  void Step(const Tensor& gradient, double rate, std::span<const float> scales, Tensor& parameter);

  /// Steps taken.
  int64_t steps() const { return steps_; }

 private:
  AdamOptions options_;
  int64_t steps_ = 0;
  Tensor mean_;    // m
  Tensor square_;  // v
};

}  // namespace sparsify
