#include "tests/reference/elementwise.h"

#include <algorithm>
#include <cmath>

namespace reference {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double HardSigmoid(double x, double alpha, double beta) {
  return std::max(0.0, std::min(1.0, alpha * x + beta));
}

double HardSwish(double x) { return x * HardSigmoid(x, 1.0 / 6, 0.5); }

Array Broadcast(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  const size_t rank = std::max(a.dims.size(), b.dims.size());
  Dims a_dims(rank - a.dims.size(), 1);
  a_dims.insert(a_dims.end(), a.dims.begin(), a.dims.end());
  Dims b_dims(rank - b.dims.size(), 1);
  b_dims.insert(b_dims.end(), b.dims.begin(), b.dims.end());
  Dims dims;
  for (size_t i = 0; i < rank; ++i) dims.push_back(a_dims[i] == 1 ? b_dims[i] : a_dims[i]);
  const Array wide_a = {a_dims, a.values};
  const Array wide_b = {b_dims, b.values};
  Array y = Zeros(dims);
  ForEach(dims, [&](const Dims& at) {
    Dims in_a = at;
    Dims in_b = at;
    for (size_t i = 0; i < rank; ++i) {
      if (a_dims[i] == 1) in_a[i] = 0;
      if (b_dims[i] == 1) in_b[i] = 0;
    }
    y.At(at) = f(wide_a.At(in_a), wide_b.At(in_b));
  });
  return y;
}

}  // namespace reference
