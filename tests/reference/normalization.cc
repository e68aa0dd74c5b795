#include "tests/reference/normalization.h"

#include <cmath>

namespace reference {

Array BatchNormalization(const Array& x, const Array& scale, const Array& bias, const Array& mean,
                         const Array& variance, double epsilon) {
  Array y = x;
  ForEach(x.dims, [&](const Dims& at) {
    const Dims c = {at[1]};
    y.At(at) =
        scale.At(c) * (x.At(at) - mean.At(c)) / std::sqrt(variance.At(c) + epsilon) + bias.At(c);
  });
  return y;
}

Array BatchNormalizationInTraining(const Array& x, const Array& scale, const Array& bias,
                                   double epsilon) {
  const auto n = static_cast<double>(x.values.size()) / static_cast<double>(x.dims[1]);
  Array mean = Zeros({x.dims[1]});
  ForEach(x.dims, [&](const Dims& at) { mean.At({at[1]}) += x.At(at) / n; });
  Array variance = Zeros({x.dims[1]});
  ForEach(x.dims, [&](const Dims& at) {
    const double d = x.At(at) - mean.At({at[1]});
    variance.At({at[1]}) += d * d / n;
  });
  return BatchNormalization(x, scale, bias, mean, variance, epsilon);
}

Array Lrn(const Array& x, int64_t size, double alpha, double beta, double bias) {
  Array y = x;
  const auto before = static_cast<int64_t>(std::floor(static_cast<double>(size - 1) / 2));
  const auto after = static_cast<int64_t>(std::ceil(static_cast<double>(size - 1) / 2));
  ForEach(x.dims, [&](const Dims& at) {
    double sum = 0;
    for (int64_t c = at[1] - before; c <= at[1] + after; ++c) {
      if (c < 0 || c >= x.dims[1]) continue;
      Dims near = at;
      near[1] = c;
      sum += x.At(near) * x.At(near);
    }
    y.At(at) = x.At(at) / std::pow(bias + alpha / static_cast<double>(size) * sum, beta);
  });
  return y;
}

Array Softmax(const Array& x, size_t axis) {
  Array y = x;
  ForEach(x.dims, [&](const Dims& at) {
    double sum = 0;
    Dims other = at;
    for (int64_t i = 0; i < x.dims[axis]; ++i) {
      other[axis] = i;
      sum += std::exp(x.At(other) - x.At(at));
    }
    y.At(at) = 1 / sum;
  });
  return y;
}

}  // namespace reference
