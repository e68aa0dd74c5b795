#include "tests/reference/linear.h"

#include <algorithm>

#include "tests/reference/elementwise.h"

namespace reference {

Array Gemm(const Array& a, const Array& b, const Array* c, bool trans_a, bool trans_b, double alpha,
           double beta) {
  Array y = MatMul(trans_a ? SwapLastTwo(a) : a, trans_b ? SwapLastTwo(b) : b);
  for (double& v : y.values) v *= alpha;
  if (c == nullptr) return y;
  const Array scaled = Map(*c, [beta](double v) { return beta * v; });
  return Broadcast(y, scaled, [](double p, double q) { return p + q; });
}

Array MatMul(const Array& a, const Array& b) {
  const size_t rank = std::max(a.dims.size(), b.dims.size());
  const int64_t depth = a.dims.back();
  Dims dims;
  const auto dim = [&](const Array& x, size_t i) {
    const size_t skipped = rank - x.dims.size();
    return i < skipped ? int64_t{1} : x.dims[i - skipped];
  };
  for (size_t i = 0; i + 2 < rank; ++i) dims.push_back(std::max(dim(a, i), dim(b, i)));
  dims.push_back(a.dims[a.dims.size() - 2]);
  dims.push_back(b.dims.back());
  Array y = Zeros(dims);
  const auto index = [&](const Array& x, const Dims& at, int64_t row, int64_t column) {
    Dims own;
    for (size_t i = rank - x.dims.size(); i + 2 < rank; ++i) {
      own.push_back(dim(x, i) == 1 ? 0 : at[i]);
    }
    own.push_back(row);
    own.push_back(column);
    return own;
  };
  ForEach(dims, [&](const Dims& at) {
    for (int64_t k = 0; k < depth; ++k) {
      y.At(at) += a.At(index(a, at, at[rank - 2], k)) * b.At(index(b, at, k, at[rank - 1]));
    }
  });
  return y;
}

Array SwapLastTwo(const Array& x) {
  Dims dims = x.dims;
  std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  Array y = Zeros(dims);
  ForEach(x.dims, [&](const Dims& at) {
    Dims to = at;
    std::swap(to[to.size() - 1], to[to.size() - 2]);
    y.At(to) = x.At(at);
  });
  return y;
}

}  // namespace reference
