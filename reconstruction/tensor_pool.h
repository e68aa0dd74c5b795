// Memory of tensors that are not needed any more, for later ones of the same size: fresh memory
// costs a page fault for every 4 KiB.
#pragma once

#include <cstdint>
#include <deque>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

class TensorPool {
 public:
  /// Holds at most `limit` bytes; the tensors given longest ago are freed first.
  explicit TensorPool(int64_t limit = int64_t{128} << 20) : limit_(limit) {}

  /// A tensor of this shape, contents undefined. Never larger than asked for.
  Tensor Take(const Shape& shape);
  /// Empty tensors are welcome and forgotten.
  void Give(Tensor tensor);

  int64_t bytes() const { return bytes_; }

 private:
  const int64_t limit_;
  int64_t bytes_ = 0;
  std::deque<Tensor> spare_;  // the last one given is last
};

}  // namespace sparsify
