// The best exchange of columns between two stripes of four: the inner loop of the permutation
// search.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sparsify {

inline constexpr int64_t kStripe = 4;  // columns that share one N:4 group

/// Rows are handled in runs of this many; what is beyond the last row must be zero.
inline constexpr int64_t kRowRun = 64;

/// Ways to split eight columns into two unordered stripes of four.
inline constexpr int kSplits = 35;

/// Which of the eight columns (0–3 the first stripe's, 4–7 the second's) a split puts into the
/// first stripe, then which into the second, each ascending. Split 0 leaves everything in place.
/// Column 0 always stays in the first stripe.
const std::array<std::array<int, 2 * kStripe>, kSplits>& Splits();

struct Exchange {
  double gain = 0;  // magnitude kept beyond that of split 0
  int split = 0;
};

/// The split that keeps the most of non-negative magnitudes when the n largest of every row and
/// stripe stay, 1 <= n <= 3; of equal ones the first. `rows` is a multiple of kRowRun. The result
/// does not depend on the order of the columns within a stripe, but for `split`'s numbering.
Exchange BestExchange(const std::array<const float*, 2 * kStripe>& columns, int64_t rows,
                      int64_t n) noexcept;

/// The same on one of ExchangeTargets.
Exchange BestExchangeOn(size_t target, const std::array<const float*, 2 * kStripe>& columns,
                        int64_t rows, int64_t n) noexcept;

/// The vector units that it is compiled for and this machine has, the plainest first. All give the
/// same to the bit; BestExchange takes the last.
std::vector<std::string_view> ExchangeTargets();

}  // namespace sparsify
