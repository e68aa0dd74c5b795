// Which weights stay: one bit per weight, in the weight's row-major order.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

class Mask {
 public:
  Mask() = default;
  /// All ones (everything kept) or all zeros.
  explicit Mask(Shape shape, bool keep = true);
  /// From packed bytes, element i at byte i/8, bit i%8 (least significant first), as in
  /// the checkpoint. Throws when the byte count does not fit the shape or the unused
  /// bits of the last byte are not zero.
  static Mask FromBytes(Shape shape, const std::vector<uint8_t>& bytes);

  const Shape& shape() const { return shape_; }
  int64_t size() const { return size_; }
  bool operator[](int64_t i) const { return (bytes_[static_cast<size_t>(i >> 3)] >> (i & 7)) & 1; }
  void Set(int64_t i, bool keep);
  const std::vector<uint8_t>& bytes() const { return bytes_; }

  int64_t CountKept() const;
  int64_t CountPruned() const { return size_ - CountKept(); }
  /// Pruned share in [0, 1]; 0 for an empty mask.
  double Sparsity() const;
  bool operator==(const Mask&) const = default;

 private:
  Shape shape_ = {0};
  int64_t size_ = 0;
  std::vector<uint8_t> bytes_;
};

/// weight ⊙ mask, in place: pruned weights become +0. Shapes must agree.
void ApplyMask(const Mask& mask, Tensor& weight);
/// Prunes the kept weights that are zero (−0 too), so that the mask has as many pruned
/// weights as weight ⊙ mask has zeros. Returns how many there were. Shapes must agree.
int64_t PruneZeros(const Tensor& weight, Mask& mask);
/// Kept exactly where the weight is not zero.
Mask MaskOfNonZeros(const Tensor& weight);

}  // namespace sparsify
