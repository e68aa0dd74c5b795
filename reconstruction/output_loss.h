// How far a changed network's class scores are from the dense network's.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

enum class OutputLossKind {
  kKl,   // mean over images of KL(softmax(dense) ‖ softmax(changed)), nats
  kMse,  // Σ (changed − dense)² / Σ (dense − mean over images)², 0/0 taken as 0
};

class OutputLoss {
 public:
  explicit OutputLoss(OutputLossKind kind) : kind_(kind) {}

  /// Adds images: both N×K (trailing dimensions of 1 allowed), logits of the same images. Sums in
  /// double; the softmax is shifted by its maximum. Throws Error when shapes differ.
  void Add(const Tensor& dense, const Tensor& changed);

  /// Over the images so far. Not finite when a logit was not, or when the changed network puts
  /// no probability at all where the dense one has some.
  double Value() const;
  int64_t images() const { return images_; }

 private:
  const OutputLossKind kind_;
  int64_t images_ = 0;
  double sum_ = 0;
  std::vector<double> dense_sum_, dense_square_;  // kMse, by class
};

}  // namespace sparsify
