// Loops over contiguous floats, compiled for the vector units of the machine that runs them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/ops/window.h"

// Before a loop whose iterations do not depend on each other although its arrays may be one: the
// compiler need not look for overlaps, and vectorises it in both cases.
// (Clang's pragma of this kind is also an order to vectorise, which some loops refuse.)
#if defined(__GNUC__) && !defined(__clang__)
#define SPARSIFY_INDEPENDENT _Pragma("GCC ivdep")
#else
#define SPARSIFY_INDEPENDENT
#endif

namespace sparsify {

/// What this machine can run of "Plain", "Avx2" (with FMA) and "Avx512"; the last one is used.
std::vector<std::string> VectorTargets();
/// Uses another one from now on, for tests. Throws Error when the machine cannot run it.
void ForceVectorTarget(const std::string& name);

/// Counts of the runs are multiples of this.
inline constexpr int64_t kVectorBlock = 64;

/// y[i] = bias + Σ_t w[t] · x[taps[t] + i]
void CorrelateRuns(const float* x, const std::vector<int64_t>& taps, const float* w, float bias,
                   int64_t count, float* y);
/// y[taps[t] + i] += w[t] · x[i] for one tap after the other.
void SpreadRuns(const float* x, const std::vector<int64_t>& taps, const float* w, int64_t count,
                float* y);
/// sums[t] += Σ_i a[i] · b[taps[t] + i], in float over count / kVectorBlock terms and the lanes.
void DotRuns(const float* a, const float* b, const std::vector<int64_t>& taps, int64_t count,
             double* sums);

/// Σ x[i], in double; any count.
double PlaneSum(const float* x, int64_t count);
/// Σ a[i] · b[i], in double; any count.
double PlaneDot(const float* a, const float* b, int64_t count);

struct PlaneSums {
  double sum = 0;
  double square = 0;
};
/// Σ (x[i] − origin) and Σ (x[i] − origin)², in double; any count.
PlaneSums PlaneMoments(const float* x, float origin, int64_t count);

/// Σ (a[i] − b[i])², in double; any count. Unless `scaled` is null, scaled[i] = slope · (a[i] −
/// b[i]).
double PlaneDifference(const float* a, const float* b, int64_t count, float slope, float* scaled);

/// Rows of kLanes floats, one a channel.
inline constexpr int64_t kLanes = 16;
/// sums[l] += Σ_r x[r, l] − origin[l] and squares[l] += Σ_r (x[r, l] − origin[l])², in double.
void LaneMoments(const float* x, const float* origin, int64_t rows, double* sums, double* squares);
/// sums[l] += Σ_r a[r, l] and dots[l] += Σ_r a[r, l] · b[r, l], in double.
void LaneDots(const float* a, const float* b, int64_t rows, double* sums, double* dots);

/// y[r, l] = slope[l] · x[r, l] + shift[l]
void ScaleLanes(const float* x, const float* slope, const float* shift, int64_t rows, float* y);

/// Largest values of each window of a plane with kLanes channels in every position: y[p, l] =
/// max over the taps of output p that lie inside of x[tap, l], not NaN unless all are.
void MaxLanes(const Window& window, const float* x, float* y);
/// Adds grad_y[p, l] to grad_x at the first tap where x is y (MaxLanes'), for every p.
void MaxLanesGradient(const Window& window, const float* x, const float* y, const float* grad_y,
                      float* grad_x);

/// Coefficients of y = slope · g + (along · (x − center) + shift), one of each a lane.
struct LanePlanes {
  float slope[kLanes];
  float along[kLanes];
  float center[kLanes];
  float shift[kLanes];
};
/// That for all rows; y may be g.
void CombineLanes(const LanePlanes& planes, const float* g, const float* x, int64_t rows, float* y);

/// A grid of rows × columns floats in memory, the first one at the address that goes with it.
struct GridSteps {
  int64_t row = 1;
  int64_t column = 1;
};
/// to[y, x] = from[y, x]; the memory must not overlap.
void CopyGrid(const float* from, const GridSteps& from_steps, int64_t rows, int64_t columns,
              float* to, const GridSteps& to_steps);

}  // namespace sparsify
