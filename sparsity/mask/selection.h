// Selection of the smallest scores: how many go, and which, without sorting.
//
// Ties are broken by index everywhere: of equal scores the lower index is pruned first.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace sparsify {

/// Of `count` things, how many go at `sparsity`: count − ⌊(1 − sparsity)·count⌋, where a
/// product within the rounding of a decimal sparsity of a whole number counts as that
/// number (0.9 of 10 is 9, though 1 − 0.9 < 0.1 in binary).
int64_t PruneCount(int64_t count, double sparsity);

/// True for the `count` smallest scores. Scores must not be NaN; 0 <= count <= size.
std::vector<bool> SmallestScores(std::span<const double> scores, int64_t count);

/// The smallest of a sequence: everything below `value`, and the first `ties` equal to it.
struct Threshold {
  float value = 0;
  int64_t ties = 0;
};

/// Finds the threshold of the `count` smallest of a sequence of non-negative floats, in two
/// passes and half a megabyte whatever the length: non-negative floats order like their
/// bits, so a histogram of the upper, then of the lower 16 bits finds the exact value.
/// `for_each(visit)` must call visit(float) for the same values each time.
template <class ForEach>
Threshold FindThreshold(int64_t count, const ForEach& for_each);

namespace internal {

/// Index of the bin in which the running sum first reaches `count` (>= 1), which is
/// lowered by the sum of the bins before it.
uint32_t FindBin(const std::vector<int64_t>& histogram, int64_t& count);

}  // namespace internal

template <class ForEach>
Threshold FindThreshold(int64_t count, const ForEach& for_each) {
  if (count <= 0) return {};
  std::vector<int64_t> histogram(1 << 16, 0);
  for_each([&](float v) { ++histogram[std::bit_cast<uint32_t>(v) >> 16]; });
  const uint32_t upper = internal::FindBin(histogram, count);
  histogram.assign(histogram.size(), 0);
  for_each([&](float v) {
    const auto bits = std::bit_cast<uint32_t>(v);
    if (bits >> 16 == upper) ++histogram[bits & 0xFFFF];
  });
  const uint32_t lower = internal::FindBin(histogram, count);
  return {std::bit_cast<float>(upper << 16 | lower), count};
}

}  // namespace sparsify
