#include "tests/reference/array.h"

#include <cmath>
#include <stdexcept>

namespace reference {
namespace {

size_t Flat(const Dims& dims, const Dims& index) {
  if (index.size() != dims.size()) throw std::logic_error("reference: index of another rank");
  int64_t flat = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (index[i] < 0 || index[i] >= dims[i]) throw std::logic_error("reference: index outside");
    flat = flat * dims[i] + index[i];
  }
  return static_cast<size_t>(flat);
}

}  // namespace

double& Array::At(const Dims& index) { return values.at(Flat(dims, index)); }
double Array::At(const Dims& index) const { return values.at(Flat(dims, index)); }

Array Zeros(const Dims& dims) {
  size_t count = 1;
  for (const int64_t d : dims) count *= static_cast<size_t>(d);
  return {dims, std::vector<double>(count, 0.0)};
}

void ForEach(const Dims& dims, const std::function<void(const Dims&)>& body) {
  for (const int64_t d : dims) {
    if (d == 0) return;
  }
  Dims index(dims.size(), 0);
  for (;;) {
    body(index);
    size_t i = dims.size();
    while (i > 0 && ++index[i - 1] == dims[i - 1]) index[--i] = 0;
    if (i == 0) return;
  }
}

Array Map(const Array& x, const std::function<double(double)>& f) {
  Array y = x;
  for (double& v : y.values) v = f(v);
  return y;
}

Array Abs(const Array& x) {
  return Map(x, [](double v) { return std::fabs(v); });
}

}  // namespace reference
