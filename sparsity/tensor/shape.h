// Tensor shapes: a list of dimensions, outermost first. -1 stands for the batch size
// where a graph has not been bound to one yet.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace sparsify {

class Shape {
 public:
  Shape() = default;  // rank 0: a scalar, one element
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  /// Dimension i; negative i counts from the end. Throws on an index out of range.
  int64_t operator[](int i) const;
  void set_dim(int i, int64_t value);
  /// The other dimensions; i as above. Of one image where the shape is a batch's: Without(0).
  Shape Without(int i) const;
  const std::vector<int64_t>& dims() const { return dims_; }

  /// Product of the dimensions. Throws on a negative dimension or when the product
  /// exceeds 2^40 elements, so that a hostile file cannot ask for absurd memory.
  int64_t NumElements() const;

  bool operator==(const Shape&) const = default;
  /// "[64,3,7,7]"
  std::string ToString() const;

 private:
  std::vector<int64_t> dims_;
};

}  // namespace sparsify
