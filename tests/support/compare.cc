#include "tests/support/compare.h"

#include <cmath>
#include <limits>

#include "tests/support/random_tensor.h"

namespace sparsify::testing {

using ::testing::AssertionFailure;
using ::testing::AssertionResult;
using ::testing::AssertionSuccess;

AssertionResult Close(const Tensor& actual, const reference::Array& expected,
                      const reference::Array& magnitude, double roundings) {
  const Shape shape(expected.dims);
  if (actual.shape() != shape || magnitude.dims != expected.dims) {
    return AssertionFailure() << "shape " << actual.shape().ToString() << ", expected "
                              << shape.ToString();
  }
  double worst = 0;  // error as a share of what is allowed
  size_t worst_at = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const double error =
        std::fabs(static_cast<double>(actual[static_cast<int64_t>(i)]) - expected.values[i]);
    const double allowed = roundings * 0x1p-24 * std::fabs(magnitude.values[i]);
    double share = error <= allowed ? 0 : error / std::max(allowed, 1e-300);
    if (std::isnan(error)) share = std::numeric_limits<double>::infinity();
    if (share > worst) {
      worst = share;
      worst_at = i;
    }
  }
  if (worst == 0) return AssertionSuccess();
  return AssertionFailure() << "worst element " << worst_at << " of " << shape.ToString() << ": "
                            << actual[static_cast<int64_t>(worst_at)] << ", expected "
                            << expected.values[worst_at] << ", " << worst
                            << " times the allowed error";
}

AssertionResult Close(const Tensor& actual, const reference::Array& expected, double roundings,
                      double floor) {
  const auto magnitude =
      reference::Map(expected, [floor](double v) { return std::max(std::fabs(v), floor); });
  return Close(actual, expected, magnitude, roundings);
}

AssertionResult Same(const Tensor& actual, const Tensor& expected) {
  return Close(actual, ToArray(expected), 0.0);
}

double RelativeError(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  double difference = 0;
  double norm = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * static_cast<double>(a[i] - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  if (difference == 0) return 0;
  return std::sqrt(difference / norm);
}

}  // namespace sparsify::testing
