#include "sparsity/tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr size_t kAlignment = 64;

}  // namespace

void Tensor::Allocate(int64_t size) {
  std::free(data_);
  data_ = nullptr;
  size_ = capacity_ = 0;
  if (size > 0) {
    const size_t bytes = static_cast<size_t>(size) * sizeof(float);
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    data_ = static_cast<float*>(std::aligned_alloc(kAlignment, rounded));
    if (data_ == nullptr) {
      Fail("memory", "cannot allocate {:.1f} MB for a tensor; lower the batch size",
           static_cast<double>(bytes) / 1e6);
    }
  }
  size_ = capacity_ = size;
}

Tensor::Tensor(Shape shape) : shape_(std::move(shape)) {
  Allocate(shape_.NumElements());
  Fill(0);
}

Tensor::Tensor(Shape shape, const std::vector<float>& values) : shape_(std::move(shape)) {
  if (shape_.NumElements() != static_cast<int64_t>(values.size())) {
    Fail("tensor", "{} values given for shape {}", values.size(), shape_.ToString());
  }
  Allocate(shape_.NumElements());
  std::copy(values.begin(), values.end(), data_);
}

Tensor Tensor::Uninitialized(Shape shape) {
  Tensor tensor;
  tensor.Allocate(shape.NumElements());
  tensor.shape_ = std::move(shape);
  return tensor;
}

Tensor::Tensor(const Tensor& other) : shape_(other.shape_) {
  Allocate(other.size_);
  std::copy_n(other.data_, size_, data_);
}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) {
    Resize(other.shape_);
    std::copy_n(other.data_, size_, data_);
  }
  return *this;
}

Tensor::Tensor(Tensor&& other) noexcept { *this = std::move(other); }

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  if (this != &other) {
    std::free(data_);
    shape_ = std::exchange(other.shape_, Shape{0});
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    data_ = std::exchange(other.data_, nullptr);
  }
  return *this;
}

Tensor::~Tensor() { std::free(data_); }

void Tensor::Reshape(Shape shape) {
  if (shape.NumElements() != size_) {
    Fail("tensor", "cannot view {} as {}", shape_.ToString(), shape.ToString());
  }
  shape_ = std::move(shape);
}

void Tensor::Resize(const Shape& shape) {
  const int64_t size = shape.NumElements();
  if (size > capacity_) Allocate(size);
  size_ = size;
  shape_ = shape;
}

void Tensor::Fill(float value) { std::fill_n(data_, size_, value); }

int64_t CountZeros(const Tensor& tensor) {
  return std::count(tensor.values().begin(), tensor.values().end(), 0.0F);
}

int64_t FirstNonFinite(const Tensor& tensor) {
  const auto values = tensor.values();
  const auto it =
      std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  return it == values.end() ? -1 : it - values.begin();
}

}  // namespace sparsify
