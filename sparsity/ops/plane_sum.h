// Sums over a run of memory in double precision, as gradients need them.
#pragma once

#include <cstdint>

namespace sparsify {

/// Σ x[i]
double PlaneSum(const float* x, int64_t count);
/// Σ a[i] · b[i]
double PlaneDot(const float* a, const float* b, int64_t count);

struct Moments {
  double sum = 0;
  double square = 0;
};
/// Σ (x[i] − origin) and Σ (x[i] − origin)²
Moments PlaneMoments(const float* x, float origin, int64_t count);

}  // namespace sparsify
