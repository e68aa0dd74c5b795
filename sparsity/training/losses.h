// What training minimises, with gradients: cross-entropy with the labels, and divergence from
// a teacher's predictions. Softmax and sums in double, in an order that no thread count changes.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Mean over the N rows of `logits` (N×K, trailing dimensions of 1 allowed) of −Σ_k q_k log p_k, in
/// nats: p = softmax(logits), q = label_smoothing / K everywhere plus 1 − label_smoothing at the
/// label (Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, section 7). Writes
/// the gradient for `logits` to `gradient` unless null. Throws Error when there is not one label
/// in 0 … K−1 a row, or when label_smoothing is outside [0, 1]. Not finite when a logit is not.
/// `batch` above 0: the rows are a share of a batch of so many, and the sum over the rows is
/// divided by that, so that losses and gradients of the shares add up to the batch's.
double CrossEntropy(const Tensor& logits, const std::vector<int64_t>& labels,
                    double label_smoothing, Tensor* gradient, int64_t batch = 0);

/// weight · T² · mean over rows of the Kullback–Leibler divergence Σ_k p_k (log p_k − log q_k),
/// p = softmax(teacher / T), q = softmax(student / T), T = temperature (Hinton et al.,
/// "Distilling the Knowledge in a Neural Network", 2015). Adds the gradient for `student` to
/// `gradient`, which has its shape, unless null. Throws Error when the shapes differ or are no
/// rows of class scores, or when T is not positive. `batch` as above.
double DistillationLoss(const Tensor& student, const Tensor& teacher, double temperature,
                        double weight, Tensor* gradient, int64_t batch = 0);

}  // namespace sparsify
