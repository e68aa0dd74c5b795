// What distillation minimises: how far the student's outputs are from the teacher's, with
// gradients. Sums in double, in an order that no thread count changes.
#pragma once

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// weight · Σ over rows Σ_k p_k (log p_k − log q_k), p = softmax(teacher), q = softmax(student):
/// the Kullback–Leibler divergence of the predictions, both N×K (trailing dimensions of 1 allowed).
/// Writes the gradient for `student`, weight · (q − p), to `gradient` unless null. Throws Error
/// when the shapes differ or are no rows of class scores.
double DivergenceLoss(const Tensor& student, const Tensor& teacher, double weight,
                      Tensor* gradient);

/// weight · Σ (student − teacher)², of one shape; the gradient is 2 · weight · (student − teacher).
double SquaredLoss(const Tensor& student, const Tensor& teacher, double weight, Tensor* gradient);

}  // namespace sparsify
