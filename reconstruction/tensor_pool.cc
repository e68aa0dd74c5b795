#include "reconstruction/tensor_pool.h"

#include <algorithm>
#include <utility>

namespace sparsify {
namespace {

int64_t Bytes(const Tensor& tensor) { return tensor.size() * static_cast<int64_t>(sizeof(float)); }

}  // namespace

Tensor TensorPool::Take(const Shape& shape) {
  const int64_t size = shape.NumElements();
  const auto it = std::find_if(spare_.rbegin(), spare_.rend(),
                               [&](const Tensor& spare) { return spare.size() == size; });
  if (it == spare_.rend()) return Tensor::Uninitialized(shape);
  Tensor tensor = std::move(*it);
  spare_.erase(std::next(it).base());
  bytes_ -= Bytes(tensor);
  tensor.Reshape(shape);
  return tensor;
}

void TensorPool::Give(Tensor tensor) {
  if (tensor.empty()) return;
  bytes_ += Bytes(tensor);
  spare_.push_back(std::move(tensor));
  while (bytes_ > limit_) {
    bytes_ -= Bytes(spare_.front());
    spare_.pop_front();
  }
}

}  // namespace sparsify
