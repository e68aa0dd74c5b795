// Search for an order of columns under which N of every four keep the most magnitude.
//
// Pool and Yu, "Channel Permutations for N:M Sparsity", NeurIPS 2021, §4: of every two stripes of
// four columns all 35 ways to share their columns are tried, the best exchanges are made until
// none improves, and a bounded number of random moves tries to leave the optimum so found.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sparsify {

/// Magnitudes of a matrix, column after column. Starts as zeros.
class MagnitudeColumns {
 public:
  MagnitudeColumns(int64_t rows, int64_t columns);

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  /// Rows with the zeros that fill the last run of the vector loops.
  int64_t padded_rows() const { return padded_rows_; }
  float* Column(int64_t c) { return values_.data() + c * padded_rows_; }
  const float* Column(int64_t c) const { return values_.data() + c * padded_rows_; }

 private:
  int64_t rows_;
  int64_t columns_;
  int64_t padded_rows_;
  std::vector<float> values_;
};

/// Σ over rows and groups of four consecutive columns of the n largest, with position q holding
/// column order[q].
double KeptMagnitude(const MagnitudeColumns& columns, std::span<const int64_t> order, int64_t n);

struct StripeSearchOptions {
  int64_t n = 2;           // kept of every four, 1 … 3
  int64_t escapes = 100;   // tried at most
  int64_t work = 3000000;  // escapes end after this many pairs of stripes × runs of 64 rows
  uint64_t seed = 0;
};

struct StripeSearchResult {
  std::vector<int64_t> order;  // the column at every position
  int64_t swaps = 0;           // exchanges between two stripes, those of failed escapes included
  int64_t escapes = 0;         // tried
};

/// The number of columns must be a multiple of four. Never keeps less than the given order, which
/// stays when nothing is better. Deterministic for a seed, on any number of threads. Throws
/// Error(kInterrupted) after a signal.
StripeSearchResult SearchStripes(const MagnitudeColumns& columns,
                                 const StripeSearchOptions& options);

}  // namespace sparsify
