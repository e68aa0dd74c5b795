// Masks by the alternating direction method of multipliers: ALPS (Meng, Behdin, Wang & Mazumder,
// "ALPS: Improved Optimization for Highly Sparse One-Shot Pruning for Large Language Models",
// NeurIPS 2024, algorithm 1), with the projection onto a set that is not convex of Boyd et al.,
// "Distributed Optimization and Statistical Learning via the Alternating Direction Method of
// Multipliers", 2011, §9.1.
//
// Unlike there, ρ grows by a fixed schedule, and systems are solved by Cholesky factors.
//
// Weights that minimise J (layer_problem.h) and their sparse copies are pulled together by a
// penalty ρ that grows geometrically; inputs are scaled to variance 1 first (H's diagonal), so
// that the same penalties suit every layer. Where exact OBS decides weight by weight and never
// takes back, all rows change their minds together while ρ is small. The final weights are the
// least-squares solution on the mask found. Cost: up to 160 solutions of H + ρI for all rows, 2 ·
// rows · columns² operations each, in float; with many more columns than rows the factors
// (⅓ · columns³) are kept for several.
#pragma once

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/least_squares.h"

namespace sparsify {

struct AdmmOptions {
  double sparsity = 0.5;
  PrunePattern pattern;
  /// Measures the losses of a row by the variance of its target, so that rows which batch-norm
  /// folding made small count as much as others.
  bool scale_rows = false;
  /// At most: it ends when a mask has stayed for eight. 0: 160, and down to 40 in layers where
  /// these would take more than 4·10¹¹ operations.
  int iterations = 0;
  double first_penalty = 0.001;  // ρ where H has a diagonal of 1
  double last_penalty = 1;
  LeastSquaresOptions least_squares;  // damping of both
};

/// Of all units of the layer (weights; kBlock: blocks) PruneCount(units, sparsity) go, wherever
/// they are; of N:M sets all but n weights. Throws Error naming the layer on bad input.
LayerSolution PruneAdmm(const LayerStatistics& statistics, const Tensor& weight,
                        const AdmmOptions& options = {});

}  // namespace sparsify
