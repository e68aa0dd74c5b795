#include "tests/support/random_tensor.h"

namespace sparsify::testing {

Tensor RandomTensor(Random& random, const Shape& shape) {
  Tensor tensor = Tensor::Uninitialized(shape);
  for (float& v : tensor.values()) v = static_cast<float>(random.Normal());
  return tensor;
}

int64_t RandomInt(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.Below(static_cast<uint64_t>(high - low + 1)));
}

reference::Array ToArray(const Tensor& tensor) {
  return {tensor.shape().dims(), {tensor.values().begin(), tensor.values().end()}};
}

Tensor ToTensor(const reference::Array& array) {
  return {Shape(array.dims), {array.values.begin(), array.values.end()}};
}

}  // namespace sparsify::testing
