#include "sparsity/ops/vector_loops.h"

#include <atomic>
#include <cstddef>
#include <limits>

#include "sparsity/base/error.h"

// One body for every vector unit: the compiler vectorises it for the target that it is inlined
// into, and the machine is asked once.
#if defined(__x86_64__) && defined(__GNUC__)
#define SPARSIFY_HAS_TARGETS 1
#else
#define SPARSIFY_HAS_TARGETS 0
#endif

namespace sparsify {
namespace {

#define SPARSIFY_INLINE inline __attribute__((always_inline))

// Sixteen floats anywhere in memory, and four of them a block.
using Lanes = float __attribute__((vector_size(64), aligned(4), may_alias));
using EightLanes = float __attribute__((vector_size(32), aligned(4), may_alias));
using Doubles = double __attribute__((vector_size(64)));  // of EightLanes
using FourLanes = float __attribute__((vector_size(16), aligned(4), may_alias));

SPARSIFY_INLINE void CorrelateBody(const float* x, const int64_t* taps, size_t tap_count,
                                   const float* w, float bias, int64_t count, float* y) {
  for (int64_t i = 0; i < count; i += kVectorBlock) {
    Lanes a = Lanes{} + bias;
    Lanes b = a;
    Lanes c = a;
    Lanes d = a;
    for (size_t t = 0; t < tap_count; ++t) {
      const Lanes* run = reinterpret_cast<const Lanes*>(x + taps[t] + i);
      a += w[t] * run[0];
      b += w[t] * run[1];
      c += w[t] * run[2];
      d += w[t] * run[3];
    }
    Lanes* out = reinterpret_cast<Lanes*>(y + i);
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
  }
}

SPARSIFY_INLINE void SpreadBody(const float* __restrict x, const int64_t* taps, size_t tap_count,
                                const float* w, int64_t count, float* __restrict y) {
  for (size_t t = 0; t < tap_count; ++t) {
    float* run = y + taps[t];
    const float a = w[t];
    for (int64_t i = 0; i < count; ++i) run[i] += a * x[i];
  }
}

SPARSIFY_INLINE float DotBody(const float* a, const float* b, int64_t count) {
  Lanes s0 = {};
  Lanes s1 = {};
  Lanes s2 = {};
  Lanes s3 = {};
  for (int64_t i = 0; i < count; i += kVectorBlock) {
    const Lanes* p = reinterpret_cast<const Lanes*>(a + i);
    const Lanes* q = reinterpret_cast<const Lanes*>(b + i);
    s0 += p[0] * q[0];
    s1 += p[1] * q[1];
    s2 += p[2] * q[2];
    s3 += p[3] * q[3];
  }
  const Lanes s = (s0 + s1) + (s2 + s3);
  float quarter[4];
  for (int k = 0; k < 4; ++k) quarter[k] = (s[k] + s[k + 4]) + (s[k + 8] + s[k + 12]);
  return (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
}

SPARSIFY_INLINE void DotsBody(const float* a, const float* b, const int64_t* taps, size_t tap_count,
                              int64_t count, double* sums) {
  for (size_t t = 0; t < tap_count; ++t) sums[t] += DotBody(a, b + taps[t], count);
}

// Σ first(i) and Σ second(i), where add(i, …) adds eight of each and rest(i, …) one. Two
// independent sums of each kind, so that the additions need not wait for each other.
template <class Add, class Rest>
SPARSIFY_INLINE PlaneSums SumBody(int64_t count, Add add, Rest rest) {
  Doubles sums[2] = {};
  Doubles squares[2] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    add(i, sums[0], squares[0]);
    add(i + 8, sums[1], squares[1]);
  }
  const Doubles sum = sums[0] + sums[1];
  const Doubles square = squares[0] + squares[1];
  PlaneSums total;
  for (int k = 0; k < 8; ++k) {
    total.sum += sum[k];
    total.square += square[k];
  }
  for (; i < count; ++i) rest(i, total);
  return total;
}

#define SPARSIFY_EIGHT(x) __builtin_convertvector(*reinterpret_cast<const EightLanes*>(x), Doubles)

SPARSIFY_INLINE double SumBody(const float* x, int64_t count) {
  const auto add = [x](int64_t i, Doubles& sum, Doubles&) { sum += SPARSIFY_EIGHT(x + i); };
  const auto rest = [x](int64_t i, PlaneSums& total) { total.sum += x[i]; };
  return SumBody(count, add, rest).sum;
}

SPARSIFY_INLINE double DoubleDotBody(const float* a, const float* b, int64_t count) {
  const auto add = [a, b](int64_t i, Doubles& sum, Doubles&) {
    sum += SPARSIFY_EIGHT(a + i) * SPARSIFY_EIGHT(b + i);
  };
  const auto rest = [a, b](int64_t i, PlaneSums& total) { total.sum += double{a[i]} * b[i]; };
  return SumBody(count, add, rest).sum;
}

SPARSIFY_INLINE PlaneSums MomentsBody(const float* x, float origin, int64_t count) {
  const double shift = origin;
  const auto add = [x, shift](int64_t i, Doubles& sum, Doubles& square) {
    const Doubles d = SPARSIFY_EIGHT(x + i) - shift;
    sum += d;
    square += d * d;
  };
  const auto rest = [x, shift](int64_t i, PlaneSums& total) {
    const double d = x[i] - shift;
    total.sum += d;
    total.square += d * d;
  };
  return SumBody(count, add, rest);
}

SPARSIFY_INLINE double DifferenceBody(const float* a, const float* b, int64_t count, float slope,
                                      float* scaled) {
  const auto add = [=](int64_t i, Doubles& /*sum*/, Doubles& square) {
    const EightLanes x = *reinterpret_cast<const EightLanes*>(a + i);
    const EightLanes y = *reinterpret_cast<const EightLanes*>(b + i);
    const Doubles d = __builtin_convertvector(x, Doubles) - __builtin_convertvector(y, Doubles);
    square += d * d;
    if (scaled != nullptr) *reinterpret_cast<EightLanes*>(scaled + i) = slope * (x - y);
  };
  const auto rest = [=](int64_t i, PlaneSums& total) {
    const double d = double{a[i]} - b[i];
    total.square += d * d;
    if (scaled != nullptr) scaled[i] = slope * (a[i] - b[i]);
  };
  return SumBody(count, add, rest).square;
}

// Adds add(row, half, …) over the rows to eight of each kind of sums, for both halves of the lanes.
template <class Add>
SPARSIFY_INLINE void LaneSumBody(int64_t rows, double* sums, double* squares, Add add) {
  Doubles sum[2] = {};
  Doubles square[2] = {};
  for (int64_t r = 0; r < rows; ++r) {
    add(r * kLanes, sum[0], square[0]);
    add(r * kLanes + 8, sum[1], square[1]);
  }
  for (int l = 0; l < kLanes; ++l) {
    sums[l] += sum[l / 8][l % 8];
    squares[l] += square[l / 8][l % 8];
  }
}

SPARSIFY_INLINE void LaneMomentsBody(const float* x, const float* origin, int64_t rows,
                                     double* sums, double* squares) {
  const Doubles origins[2] = {SPARSIFY_EIGHT(origin), SPARSIFY_EIGHT(origin + 8)};
  LaneSumBody(rows, sums, squares, [x, &origins](int64_t i, Doubles& sum, Doubles& square) {
    const Doubles d = SPARSIFY_EIGHT(x + i) - origins[i / 8 % 2];
    sum += d;
    square += d * d;
  });
}

SPARSIFY_INLINE void LaneDotsBody(const float* a, const float* b, int64_t rows, double* sums,
                                  double* dots) {
  LaneSumBody(rows, sums, dots, [a, b](int64_t i, Doubles& sum, Doubles& dot) {
    const Doubles x = SPARSIFY_EIGHT(a + i);
    sum += x;
    dot += x * SPARSIFY_EIGHT(b + i);
  });
}

#define SPARSIFY_LANES(x) (*reinterpret_cast<const Lanes*>(x))

SPARSIFY_INLINE void ScaleLanesBody(const float* x, const float* slope, const float* shift,
                                    int64_t rows, float* y) {
  const Lanes a = SPARSIFY_LANES(slope);
  const Lanes b = SPARSIFY_LANES(shift);
  for (int64_t i = 0; i < rows * kLanes; i += kLanes) {
    *reinterpret_cast<Lanes*>(y + i) = a * SPARSIFY_LANES(x + i) + b;
  }
}

SPARSIFY_INLINE void CombineLanesBody(const LanePlanes& planes, const float* g, const float* x,
                                      int64_t rows, float* y) {
  const Lanes a = SPARSIFY_LANES(planes.slope);
  const Lanes b = SPARSIFY_LANES(planes.along);
  const Lanes m = SPARSIFY_LANES(planes.center);
  const Lanes c = SPARSIFY_LANES(planes.shift);
  for (int64_t i = 0; i < rows * kLanes; i += kLanes) {
    *reinterpret_cast<Lanes*>(y + i) =
        a * SPARSIFY_LANES(g + i) + (b * (SPARSIFY_LANES(x + i) - m) + c);
  }
}

// tap(position of the output, of the tap in the input) for every output of a window and every tap
// inside the input, in order; begin(output) before, end(output) behind.
template <class Begin, class Tap, class End>
SPARSIFY_INLINE void ForWindows(const Window& window, Begin begin, Tap tap, End end) {
  const WindowAxis h = window.height;
  const WindowAxis w = window.width;
  for (int64_t oh = 0; oh < h.output; ++oh) {
    for (int64_t ow = 0; ow < w.output; ++ow) {
      const int64_t output = oh * w.output + ow;
      begin(output);
      for (int64_t kh = 0; kh < h.kernel; ++kh) {
        const int64_t row = oh * h.stride - h.pad_begin + kh * h.dilation;
        if (row < 0 || row >= h.input) continue;
        for (int64_t kw = 0; kw < w.kernel; ++kw) {
          const int64_t column = ow * w.stride - w.pad_begin + kw * w.dilation;
          if (column >= 0 && column < w.input) tap(row * w.input + column);
        }
      }
      end(output);
    }
  }
}

SPARSIFY_INLINE void MaxLanesBody(const Window& window, const float* x, float* y) {
  Lanes best;
  ForWindows(
      window, [&](int64_t) { best = Lanes{} + std::numeric_limits<float>::lowest(); },
      [&](int64_t in) {
        const Lanes value = SPARSIFY_LANES(x + in * kLanes);
        best = value > best ? value : best;
      },
      [&](int64_t out) { *reinterpret_cast<Lanes*>(y + out * kLanes) = best; });
}

SPARSIFY_INLINE void MaxLanesGradientBody(const Window& window, const float* x, const float* y,
                                          const float* grad_y, float* grad_x) {
  Lanes best;
  Lanes left;  // of the gradient
  ForWindows(
      window,
      [&](int64_t out) {
        best = SPARSIFY_LANES(y + out * kLanes);
        left = SPARSIFY_LANES(grad_y + out * kLanes);
      },
      [&](int64_t in) {
        const auto is_it = SPARSIFY_LANES(x + in * kLanes) == best;
        *reinterpret_cast<Lanes*>(grad_x + in * kLanes) += is_it ? left : Lanes{};
        left = is_it ? Lanes{} : left;
      },
      [](int64_t) {});
}

// Short rows by two pieces that overlap: no loop over what is left.
template <class Piece>
SPARSIFY_INLINE void CopyPieces(const float* from, int64_t count, float* to) {
  constexpr int64_t kSize = sizeof(Piece) / sizeof(float);
  for (int64_t i = 0; i + kSize <= count; i += kSize) {
    *reinterpret_cast<Piece*>(to + i) = *reinterpret_cast<const Piece*>(from + i);
  }
  *reinterpret_cast<Piece*>(to + count - kSize) =
      *reinterpret_cast<const Piece*>(from + count - kSize);
}

SPARSIFY_INLINE void CopyRow(const float* from, int64_t count, float* to) {
  if (count >= 16) {
    CopyPieces<Lanes>(from, count, to);
  } else if (count >= 8) {
    CopyPieces<EightLanes>(from, count, to);
  } else if (count >= 4) {
    CopyPieces<FourLanes>(from, count, to);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

SPARSIFY_INLINE void CopyGridBody(const float* __restrict from, const GridSteps& from_steps,
                                  int64_t rows, int64_t columns, float* __restrict to,
                                  const GridSteps& to_steps) {
  for (int64_t y = 0; y < rows; ++y) {
    const float* row = from + y * from_steps.row;
    float* result = to + y * to_steps.row;
    if (from_steps.column == 1 && to_steps.column == 1) {
      CopyRow(row, columns, result);
    } else if (from_steps.column == 2 && to_steps.column == 1) {
      for (int64_t x = 0; x < columns; ++x) result[x] = row[2 * x];
    } else if (from_steps.column == 1 && to_steps.column == 2) {
      for (int64_t x = 0; x < columns; ++x) result[2 * x] = row[x];
    } else {
      for (int64_t x = 0; x < columns; ++x) {
        result[x * to_steps.column] = row[x * from_steps.column];
      }
    }
  }
}

struct Loops {
  const char* name;
  decltype(&CorrelateBody) correlate;
  decltype(&SpreadBody) spread;
  decltype(&DotsBody) dots;
  decltype(&CopyGridBody) copy_grid;
  double (*plane_sum)(const float* x, int64_t count);
  double (*plane_dot)(const float* a, const float* b, int64_t count);
  PlaneSums (*plane_moments)(const float* x, float origin, int64_t count);
  decltype(&DifferenceBody) plane_difference;
  decltype(&LaneMomentsBody) lane_moments;
  decltype(&LaneDotsBody) lane_dots;
  decltype(&ScaleLanesBody) scale_lanes;
  decltype(&CombineLanesBody) combine_lanes;
  decltype(&MaxLanesBody) max_lanes;
  decltype(&MaxLanesGradientBody) max_lanes_gradient;
};

// The loops of one target: Correlate ## NAME and so on, and the table k ## NAME of them.
#define SPARSIFY_LOOPS(NAME, TARGET)                                                              \
  TARGET void Correlate##NAME(const float* x, const int64_t* taps, size_t tap_count,              \
                              const float* w, float bias, int64_t count, float* y) {              \
    CorrelateBody(x, taps, tap_count, w, bias, count, y);                                         \
  }                                                                                               \
  TARGET void Spread##NAME(const float* x, const int64_t* taps, size_t tap_count, const float* w, \
                           int64_t count, float* y) {                                             \
    SpreadBody(x, taps, tap_count, w, count, y);                                                  \
  }                                                                                               \
  TARGET void Dots##NAME(const float* a, const float* b, const int64_t* taps, size_t tap_count,   \
                         int64_t count, double* sums) {                                           \
    DotsBody(a, b, taps, tap_count, count, sums);                                                 \
  }                                                                                               \
  TARGET void CopyGrid##NAME(const float* from, const GridSteps& from_steps, int64_t rows,        \
                             int64_t columns, float* to, const GridSteps& to_steps) {             \
    CopyGridBody(from, from_steps, rows, columns, to, to_steps);                                  \
  }                                                                                               \
  TARGET double PlaneSum##NAME(const float* x, int64_t count) { return SumBody(x, count); }       \
  TARGET double PlaneDot##NAME(const float* a, const float* b, int64_t count) {                   \
    return DoubleDotBody(a, b, count);                                                            \
  }                                                                                               \
  TARGET PlaneSums PlaneMoments##NAME(const float* x, float origin, int64_t count) {              \
    return MomentsBody(x, origin, count);                                                         \
  }                                                                                               \
  TARGET double PlaneDifference##NAME(const float* a, const float* b, int64_t count, float slope, \
                                      float* scaled) {                                            \
    return DifferenceBody(a, b, count, slope, scaled);                                            \
  }                                                                                               \
  TARGET void LaneMoments##NAME(const float* x, const float* origin, int64_t rows, double* sums,  \
                                double* squares) {                                                \
    LaneMomentsBody(x, origin, rows, sums, squares);                                              \
  }                                                                                               \
  TARGET void LaneDots##NAME(const float* a, const float* b, int64_t rows, double* sums,          \
                             double* dots) {                                                      \
    LaneDotsBody(a, b, rows, sums, dots);                                                         \
  }                                                                                               \
  TARGET void ScaleLanes##NAME(const float* x, const float* slope, const float* shift,            \
                               int64_t rows, float* y) {                                          \
    ScaleLanesBody(x, slope, shift, rows, y);                                                     \
  }                                                                                               \
  TARGET void CombineLanes##NAME(const LanePlanes& planes, const float* g, const float* x,        \
                                 int64_t rows, float* y) {                                        \
    CombineLanesBody(planes, g, x, rows, y);                                                      \
  }                                                                                               \
  TARGET void MaxLanes##NAME(const Window& window, const float* x, float* y) {                    \
    MaxLanesBody(window, x, y);                                                                   \
  }                                                                                               \
  TARGET void MaxLanesGradient##NAME(const Window& window, const float* x, const float* y,        \
                                     const float* grad_y, float* grad_x) {                        \
    MaxLanesGradientBody(window, x, y, grad_y, grad_x);                                           \
  }                                                                                               \
  constexpr Loops k##NAME = {#NAME,                                                               \
                             Correlate##NAME,                                                     \
                             Spread##NAME,                                                        \
                             Dots##NAME,                                                          \
                             CopyGrid##NAME,                                                      \
                             PlaneSum##NAME,                                                      \
                             PlaneDot##NAME,                                                      \
                             PlaneMoments##NAME,                                                  \
                             PlaneDifference##NAME,                                               \
                             LaneMoments##NAME,                                                   \
                             LaneDots##NAME,                                                      \
                             ScaleLanes##NAME,                                                    \
                             CombineLanes##NAME,                                                  \
                             MaxLanes##NAME,                                                      \
                             MaxLanesGradient##NAME};

SPARSIFY_LOOPS(Plain, )
#if SPARSIFY_HAS_TARGETS
SPARSIFY_LOOPS(Avx2, __attribute__((target("avx2,fma"))))
SPARSIFY_LOOPS(Avx512, __attribute__((target("avx512f"))))
#endif

std::vector<const Loops*> Runnable() {
  std::vector<const Loops*> runnable = {&kPlain};
#if SPARSIFY_HAS_TARGETS
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) runnable.push_back(&kAvx2);
  if (__builtin_cpu_supports("avx512f")) runnable.push_back(&kAvx512);
#endif
  return runnable;
}

std::atomic<const Loops*>& Slot() {
  static std::atomic<const Loops*> slot = Runnable().back();
  return slot;
}

const Loops& Chosen() { return *Slot().load(std::memory_order_relaxed); }

}  // namespace

std::vector<std::string> VectorTargets() {
  std::vector<std::string> names;
  for (const Loops* loops : Runnable()) names.emplace_back(loops->name);
  return names;
}

void ForceVectorTarget(const std::string& name) {
  for (const Loops* loops : Runnable()) {
    if (loops->name == name) {
      Slot() = loops;
      return;
    }
  }
  Fail("vector loops", "this machine cannot run \"{}\"", name);
}

void CorrelateRuns(const float* x, const std::vector<int64_t>& taps, const float* w, float bias,
                   int64_t count, float* y) {
  Chosen().correlate(x, taps.data(), taps.size(), w, bias, count, y);
}

void SpreadRuns(const float* x, const std::vector<int64_t>& taps, const float* w, int64_t count,
                float* y) {
  Chosen().spread(x, taps.data(), taps.size(), w, count, y);
}

void DotRuns(const float* a, const float* b, const std::vector<int64_t>& taps, int64_t count,
             double* sums) {
  Chosen().dots(a, b, taps.data(), taps.size(), count, sums);
}

void CopyGrid(const float* from, const GridSteps& from_steps, int64_t rows, int64_t columns,
              float* to, const GridSteps& to_steps) {
  Chosen().copy_grid(from, from_steps, rows, columns, to, to_steps);
}

double PlaneSum(const float* x, int64_t count) { return Chosen().plane_sum(x, count); }

double PlaneDot(const float* a, const float* b, int64_t count) {
  return Chosen().plane_dot(a, b, count);
}

PlaneSums PlaneMoments(const float* x, float origin, int64_t count) {
  return Chosen().plane_moments(x, origin, count);
}

double PlaneDifference(const float* a, const float* b, int64_t count, float slope, float* scaled) {
  return Chosen().plane_difference(a, b, count, slope, scaled);
}

void LaneMoments(const float* x, const float* origin, int64_t rows, double* sums, double* squares) {
  Chosen().lane_moments(x, origin, rows, sums, squares);
}

void ScaleLanes(const float* x, const float* slope, const float* shift, int64_t rows, float* y) {
  Chosen().scale_lanes(x, slope, shift, rows, y);
}

void CombineLanes(const LanePlanes& planes, const float* g, const float* x, int64_t rows,
                  float* y) {
  Chosen().combine_lanes(planes, g, x, rows, y);
}

void MaxLanes(const Window& window, const float* x, float* y) { Chosen().max_lanes(window, x, y); }

void MaxLanesGradient(const Window& window, const float* x, const float* y, const float* grad_y,
                      float* grad_x) {
  Chosen().max_lanes_gradient(window, x, y, grad_y, grad_x);
}

void LaneDots(const float* a, const float* b, int64_t rows, double* sums, double* dots) {
  Chosen().lane_dots(a, b, rows, sums, dots);
}

}  // namespace sparsify
