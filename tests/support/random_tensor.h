// Random tensors, and the way between the product's Tensor and the references' Array.
#pragma once

#include "sparsity/base/random.h"
#include "sparsity/tensor/tensor.h"
#include "tests/reference/array.h"

namespace sparsify::testing {

/// Standard normal elements.
Tensor RandomTensor(Random& random, const Shape& shape);

/// Uniform integer in [low, high].
int64_t RandomInt(Random& random, int64_t low, int64_t high);

reference::Array ToArray(const Tensor& tensor);
Tensor ToTensor(const reference::Array& array);

}  // namespace sparsify::testing
