// Adam (Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1)
// for one tensor, with weight decay in the gradient or beside it (Loshchilov & Hutter, "Decoupled
// Weight Decay Regularization", ICLR 2019).
#pragma once

#include <cstdint>
#include <span>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  /// Adds weight_decay · parameter to the gradient; `decoupled` (AdamW): takes rate · weight_decay
  /// · parameter off the parameter instead, past the moments.
  double weight_decay = 0;
  bool decoupled = false;
};

class Adam {
 public:
  /// For a parameter of `size` elements; both moments start at zero.
  explicit Adam(int64_t size, const AdamOptions& options = {});

  /// parameter −= rate · scale · m̂ / (√v̂ + ε) with the moments updated by `gradient`. `scales` is
  /// empty (scale 1) or holds a factor for each of equal, consecutive parts of the parameter
  /// (its output channels). Without weight decay an element whose gradient has always been 0 stays
  /// bit for bit, so masking the gradient holds a mask. Where `keep` (null: everywhere 1), of the
  /// parameter's size, is 0, the element stays bit for bit whatever its gradient, and its moments
  /// become 0. Throws Error when sizes differ.
  void Step(const Tensor& gradient, double rate, std::span<const float> scales, Tensor& parameter,
            const Tensor* keep = nullptr);

  /// As before the first step.
  void Forget();

  /// Steps taken.
  int64_t steps() const { return steps_; }
  const Tensor& mean() const { return mean_; }      // m
  const Tensor& square() const { return square_; }  // v

  /// Goes on where another one was. Throws Error when sizes differ.
  void Restore(const Tensor& mean, const Tensor& square, int64_t steps);

 private:
  AdamOptions options_;
  int64_t steps_ = 0;
  Tensor mean_;
  Tensor square_;
};

}  // namespace sparsify
