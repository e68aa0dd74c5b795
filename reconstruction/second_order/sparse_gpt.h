// SparseGPT: one sweep over the columns with one Cholesky factor of H⁻¹ for all rows (Frantar &
// Alistarh, "SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot", ICML
// 2023, algorithm 1).
//
// Columns are visited in order, in blocks of about `block_columns`. A pruned weight's error is
// spread over the columns to its right with the inverse of the Hessian of those columns, which
// is a row of U in H⁻¹ = UᵀU; columns already passed stay frozen. Cost: columns³ + rows ·
// columns² operations.
#pragma once

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/least_squares.h"

namespace sparsify {

struct SparseGptOptions {
  double sparsity = 0.5;
  PrunePattern pattern;
  int64_t block_columns = 128;  // a layer of fewer columns is one block
  /// Compares the errors of rows by the variance of their targets.
  bool scale_rows = false;
  /// Only the mask: the kept weights are returned as given.
  bool score_only = false;
  /// Least squares on the mask found instead of the sweep's weights, which it begins from.
  bool refit = false;
  LeastSquaresOptions least_squares;  // damping of the sweep too
  /// Sweeps with this mask instead of choosing one. Not owned.
  const Mask* given_mask = nullptr;
};

/// Prunes by w²/U_cc². Unstructured and block: in each block of columns, group after group, as
/// many units as bring the running total to PruneCount(units so far, sparsity), the lowest
/// scores of all rows. N:M: chosen row by row when the sweep reaches a set; columns are
/// then visited tap by tap, as they are for blocks. Of equal scores the first goes first.
/// Throws Error naming the layer on bad input.
LayerSolution PruneSparseGpt(const LayerStatistics& statistics, const Tensor& weight,
                             const SparseGptOptions& options = {});

}  // namespace sparsify
