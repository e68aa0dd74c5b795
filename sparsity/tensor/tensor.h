// Owning, 64-byte aligned, dense row-major float32 tensor: the only tensor type.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparsity/tensor/shape.h"

namespace sparsify {

class Tensor {
 public:
  Tensor() = default;  // empty: shape [0]
  /// Zero-filled.
  explicit Tensor(Shape shape);
  /// Copies `values`, whose count must match the shape.
  Tensor(Shape shape, const std::vector<float>& values);
  /// Memory is not initialised.
  static Tensor Uninitialized(Shape shape);

  Tensor(const Tensor& other);
  Tensor& operator=(const Tensor& other);
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor();

  const Shape& shape() const { return shape_; }
  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  float* data() { return data_; }
  const float* data() const { return data_; }
  std::span<float> values() { return {data_, static_cast<size_t>(size_)}; }
  std::span<const float> values() const { return {data_, static_cast<size_t>(size_)}; }
  float& operator[](int64_t i) { return data_[i]; }
  float operator[](int64_t i) const { return data_[i]; }

  /// Same data, other shape of the same element count.
  void Reshape(Shape shape);
  /// Takes a new shape; keeps the memory when it is large enough, contents undefined.
  void Resize(const Shape& shape);
  void Fill(float value);

 private:
  void Allocate(int64_t size);

  Shape shape_ = {0};
  int64_t size_ = 0;
  int64_t capacity_ = 0;
  float* data_ = nullptr;
};

/// Number of exactly zero elements (−0 counts).
int64_t CountZeros(const Tensor& tensor);
/// Flat index of the first NaN or infinity, or −1.
int64_t FirstNonFinite(const Tensor& tensor);

}  // namespace sparsify
