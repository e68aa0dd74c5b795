#include "sparsity/mask/mask.h"

#include <bit>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

size_t ByteCount(int64_t bits) { return static_cast<size_t>((bits + 7) / 8); }

// The bits of the last byte that belong to no element.
uint8_t UnusedBits(int64_t size) {
  const int used = static_cast<int>(size & 7);
  return used == 0 ? uint8_t{0} : static_cast<uint8_t>(0xFFU << used);
}

void CheckShapes(const Mask& mask, const Tensor& weight) {
  if (mask.shape() == weight.shape()) return;
  Fail("mask", "shape {} does not fit the weight's {}", mask.shape().ToString(),
       weight.shape().ToString());
}

}  // namespace

Mask::Mask(Shape shape, bool keep) : shape_(std::move(shape)), size_(shape_.NumElements()) {
  bytes_.assign(ByteCount(size_), keep ? uint8_t{0xFF} : uint8_t{0});
  if (keep && !bytes_.empty()) bytes_.back() &= static_cast<uint8_t>(~UnusedBits(size_));
}

Mask Mask::FromBytes(Shape shape, const std::vector<uint8_t>& bytes) {
  Mask mask(std::move(shape), false);
  if (bytes.size() != mask.bytes_.size()) {
    Fail("mask", "{} bytes given, shape {} needs {}", bytes.size(), mask.shape_.ToString(),
         mask.bytes_.size());
  }
  if (!bytes.empty() && (bytes.back() & UnusedBits(mask.size_)) != 0) {
    Fail("mask", "unused bits after the last of {} elements are set", mask.size_);
  }
  mask.bytes_ = bytes;
  return mask;
}

void Mask::Set(int64_t i, bool keep) {
  uint8_t& byte = bytes_[static_cast<size_t>(i >> 3)];
  const auto bit = static_cast<uint8_t>(1U << (i & 7));
  byte = static_cast<uint8_t>(keep ? byte | bit : byte & ~bit);
}

int64_t Mask::CountKept() const {
  int64_t kept = 0;
  for (const uint8_t byte : bytes_) kept += std::popcount(byte);
  return kept;
}

double Mask::Sparsity() const {
  return size_ == 0 ? 0 : static_cast<double>(CountPruned()) / static_cast<double>(size_);
}

void ApplyMask(const Mask& mask, Tensor& weight) {
  CheckShapes(mask, weight);
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (!mask[i]) weight[i] = 0;
  }
}

int64_t PruneZeros(const Tensor& weight, Mask& mask) {
  CheckShapes(mask, weight);
  int64_t found = 0;
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (weight[i] != 0 || !mask[i]) continue;
    mask.Set(i, false);
    ++found;
  }
  return found;
}

Mask MaskOfNonZeros(const Tensor& weight) {
  Mask mask(weight.shape());
  for (int64_t i = 0; i < mask.size(); ++i) {
    if (weight[i] == 0) mask.Set(i, false);
  }
  return mask;
}

}  // namespace sparsify
