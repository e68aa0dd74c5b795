#include "sparsity/ops/plane_sum.h"

namespace sparsify {
namespace {

// Independent partial sums, so that the additions need not wait for each other.
template <class F>
double Sum(int64_t count, F term) {
  constexpr int64_t kLanes = 8;
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (; i < count; ++i) lanes[0] += term(i);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

double PlaneSum(const float* x, int64_t count) {
  return Sum(count, [x](int64_t i) { return double{x[i]}; });
}

double PlaneDot(const float* a, const float* b, int64_t count) {
  return Sum(count, [a, b](int64_t i) { return double{a[i]} * b[i]; });
}

Moments PlaneMoments(const float* x, float origin, int64_t count) {
  constexpr int64_t kLanes = 8;
  const double shift = origin;
  double sums[kLanes] = {};
  double squares[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double d = x[i + lane] - shift;
      sums[lane] += d;
      squares[lane] += d * d;
    }
  }
  for (; i < count; ++i) {
    const double d = x[i] - shift;
    sums[0] += d;
    squares[0] += d * d;
  }
  Moments total;
  for (const double sum : sums) total.sum += sum;
  for (const double square : squares) total.square += square;
  return total;
}

}  // namespace sparsify
