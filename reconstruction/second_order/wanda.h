// Wanda: prunes by |w|·‖x‖, weight magnitude times the norm of its input, compared within each
// output row (Sun, Liu, Bair & Kolter, "A Simple and Effective Pruning Approach for Large
// Language Models", 2023, eq. 1). No weights change unless `refit` asks for least squares.
#pragma once

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/least_squares.h"

namespace sparsify {

struct WandaOptions {
  double sparsity = 0.5;
  PrunePattern pattern;
  bool refit = false;  // least squares on the mask (least_squares.h)
  LeastSquaresOptions least_squares;
};

/// Of each row (kBlock: each band of block_outputs rows) that share of the columns (blocks) goes;
/// where it is no whole number, one more or less, so that PruneCount of all of them go. Of equal
/// scores the lower column first. Block scores are sums of squares.
/// The bias matches the means either way. Throws Error naming the layer on bad input.
LayerSolution PruneWanda(const LayerStatistics& statistics, const Tensor& weight,
                         const WandaOptions& options = {});

}  // namespace sparsify
