// How far the outputs of the student's blocks are from the teacher's, with gradients; predictions
// are compared by DistillationLoss (training/losses.h).
#pragma once

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// weight · Σ (student − teacher)², of one shape; the gradient is 2 · weight · (student − teacher).
/// Sums in double, in an order that no thread count changes. Throws Error when the shapes differ.
double SquaredLoss(const Tensor& student, const Tensor& teacher, double weight, Tensor* gradient);

}  // namespace sparsify
