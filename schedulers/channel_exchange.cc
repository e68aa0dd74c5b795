#include "schedulers/channel_exchange.h"

#include <cstddef>

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

// Non-negative floats order like their bits, and vector units have a maximum of integers without
// the special cases of one of floats.
constexpr int64_t kLanes = 16;
constexpr int64_t kVectors = kRowRun / kLanes;
using Bits = int32_t __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
using Lanes = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

constexpr size_t kColumns = 2 * kStripe;
constexpr size_t kPairs = kColumns * (kColumns - 1) / 2;
constexpr size_t kSets = 2 * kSplits;  // subsets of four; set s and set 69 − s make a split

// Subsets of four in lexicographic order, and the two pairs of columns that make each.
struct Tables {
  std::array<std::array<int, kStripe>, kSets> members = {};
  std::array<std::array<size_t, 2>, kPairs> pairs = {};
  std::array<std::array<size_t, 2>, kSets> halves = {};  // indices into pairs

  constexpr Tables() {
    std::array<std::array<size_t, kColumns>, kColumns> number = {};
    size_t p = 0;
    for (size_t a = 0; a < kColumns; ++a) {
      for (size_t b = a + 1; b < kColumns; ++b) {
        number[a][b] = p;
        pairs[p++] = {a, b};
      }
    }
    size_t s = 0;
    for (size_t first = 0; first < kPairs; ++first) {
      for (size_t second = 0; second < kPairs; ++second) {
        const auto [a, b] = pairs[first];
        const auto [c, d] = pairs[second];
        if (b >= c) continue;
        members[s] = {static_cast<int>(a), static_cast<int>(b), static_cast<int>(c),
                      static_cast<int>(d)};
        halves[s++] = {number[a][b], number[c][d]};
      }
    }
  }
};
constexpr Tables kTables;

// sums[s] = Σ over rows of the kKept largest of the four columns of set s. With the higher h and
// the lower l of each half: max(h1, h2) of one, max(h1 + l1, h2 + l2, h1 + h2) of two, h1 + h2 +
// max(l1, l2) of three.
template <int kKept>
SPARSIFY_INLINE void SumSetsBody(const std::array<const float*, kColumns>& columns, int64_t rows,
                                 std::array<double, kSets>& sums) {
  Bits high[kPairs][kVectors];
  Bits other[kPairs][kVectors];  // h + l where two are kept, else l
  Lanes totals[kSets] = {};
  for (int64_t r = 0; r < rows; r += kRowRun) {
    for (size_t p = 0; p < kPairs; ++p) {
      const auto* a = reinterpret_cast<const Bits*>(columns[kTables.pairs[p][0]] + r);
      const auto* b = reinterpret_cast<const Bits*>(columns[kTables.pairs[p][1]] + r);
      for (int64_t i = 0; i < kVectors; ++i) {
        high[p][i] = a[i] > b[i] ? a[i] : b[i];
        if constexpr (kKept == 2) {
          other[p][i] =
              reinterpret_cast<Bits>(reinterpret_cast<Lanes>(a[i]) + reinterpret_cast<Lanes>(b[i]));
        } else {
          other[p][i] = a[i] > b[i] ? b[i] : a[i];
        }
      }
    }
    for (size_t s = 0; s < kSets; ++s) {
      const Bits* high1 = high[kTables.halves[s][0]];
      const Bits* high2 = high[kTables.halves[s][1]];
      const Bits* other1 = other[kTables.halves[s][0]];
      const Bits* other2 = other[kTables.halves[s][1]];
      Lanes total = totals[s];
      for (int64_t i = 0; i < kVectors; ++i) {
        const Bits halves = other1[i] > other2[i] ? other1[i] : other2[i];
        if constexpr (kKept == 1) {
          const Bits largest = high1[i] > high2[i] ? high1[i] : high2[i];
          total += reinterpret_cast<Lanes>(largest);
        } else {
          const Lanes across =
              reinterpret_cast<Lanes>(high1[i]) + reinterpret_cast<Lanes>(high2[i]);
          if constexpr (kKept == 2) {
            const Bits crossed = reinterpret_cast<Bits>(across);
            const Bits largest = halves > crossed ? halves : crossed;
            total += reinterpret_cast<Lanes>(largest);
          } else {
            total += across + reinterpret_cast<Lanes>(halves);
          }
        }
      }
      totals[s] = total;
    }
  }
  for (size_t s = 0; s < kSets; ++s) {
    double sum = 0;
    for (int64_t lane = 0; lane < kLanes; ++lane) sum += totals[s][lane];
    sums[s] = sum;
  }
}

using SumSets = void (*)(const std::array<const float*, kColumns>&, int64_t,
                         std::array<double, kSets>&);
struct Target {
  std::string_view name;
  std::array<SumSets, 3> sum_sets;  // by n − 1
};

// Sum ## NAME for every n, and the target k ## NAME of them.
#define SPARSIFY_SUM_SETS(NAME, TARGET)                                                  \
  template <int kKept>                                                                   \
  TARGET void Sum##NAME(const std::array<const float*, kColumns>& columns, int64_t rows, \
                        std::array<double, kSets>& sums) {                               \
    SumSetsBody<kKept>(columns, rows, sums);                                             \
  }                                                                                      \
  constexpr Target k##NAME = {#NAME, {Sum##NAME<1>, Sum##NAME<2>, Sum##NAME<3>}};

SPARSIFY_SUM_SETS(Plain, )
#if SPARSIFY_HAS_TARGETS
SPARSIFY_SUM_SETS(Avx2, __attribute__((target("avx2"))))
SPARSIFY_SUM_SETS(Avx512, __attribute__((target("avx512f"))))
#endif

const std::vector<const Target*>& Runnable() {
  static const std::vector<const Target*> runnable = [] {
    std::vector<const Target*> targets = {&kPlain};
#if SPARSIFY_HAS_TARGETS
    if (__builtin_cpu_supports("avx2")) targets.push_back(&kAvx2);
    if (__builtin_cpu_supports("avx512f")) targets.push_back(&kAvx512);
#endif
    return targets;
  }();
  return runnable;
}

}  // namespace

const std::array<std::array<int, 2 * kStripe>, kSplits>& Splits() {
  static const auto splits = [] {
    std::array<std::array<int, kColumns>, kSplits> made = {};
    for (size_t s = 0; s < kSplits; ++s) {
      for (size_t i = 0; i < kStripe; ++i) {
        made[s][i] = kTables.members[s][i];
        made[s][kStripe + i] = kTables.members[kSets - 1 - s][i];
      }
    }
    return made;
  }();
  return splits;
}

Exchange BestExchangeOn(size_t target, const std::array<const float*, 2 * kStripe>& columns,
                        int64_t rows, int64_t n) noexcept {
  std::array<double, kSets> sums;
  Runnable()[target]->sum_sets[static_cast<size_t>(n - 1)](columns, rows, sums);
  const double before = sums[0] + sums[kSets - 1];
  Exchange best;
  for (size_t s = 1; s < kSplits; ++s) {
    const double gain = sums[s] + sums[kSets - 1 - s] - before;
    if (gain > best.gain) best = {gain, static_cast<int>(s)};
  }
  return best;
}

Exchange BestExchange(const std::array<const float*, 2 * kStripe>& columns, int64_t rows,
                      int64_t n) noexcept {
  return BestExchangeOn(Runnable().size() - 1, columns, rows, n);
}

std::vector<std::string_view> ExchangeTargets() {
  std::vector<std::string_view> names;
  for (const Target* target : Runnable()) names.push_back(target->name);
  return names;
}

}  // namespace sparsify
