#include "sparsity/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 40;

size_t Index(const std::vector<int64_t>& dims, int i) {
  const int rank = static_cast<int>(dims.size());
  const int index = i < 0 ? i + rank : i;
  if (index < 0 || index >= rank) Fail("shape", "dimension {} asked of rank {}", i, rank);
  return static_cast<size_t>(index);
}

}  // namespace

int64_t Shape::operator[](int i) const { return dims_[Index(dims_, i)]; }

void Shape::set_dim(int i, int64_t value) { dims_[Index(dims_, i)] = value; }

Shape Shape::Without(int i) const {
  std::vector<int64_t> dims = dims_;
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(Index(dims_, i)));
  return Shape(std::move(dims));
}

int64_t Shape::NumElements() const {
  int64_t product = 1;
  bool has_zero = false;
  for (const int64_t d : dims_) {
    if (d < 0) Fail("shape", "{} has an unknown dimension; bind a batch size first", ToString());
    has_zero = has_zero || d == 0;
  }
  if (has_zero) return 0;
  for (const int64_t d : dims_) {
    if (product > kMaxElements / d) {
      Fail("shape", "{} has more than 2^40 elements; the file is damaged or hostile", ToString());
    }
    product *= d;
  }
  return product;
}

std::string Shape::ToString() const { return fmt::format("[{}]", fmt::join(dims_, ",")); }

}  // namespace sparsify
