// Least-squares weights on the support of a given mask: for each row of a layer the minimiser
// of J (layer_problem.h) over the weights that stay, with the means matched through the bias.
//
// This is the constrained optimum that Optimal Brain Surgeon reaches for a fixed mask
// (Frantar & Alistarh, "Optimal Brain Compression", NeurIPS 2022, §4); no learning rate. Three
// solvers: one Cholesky factor of H restricted to the support a row; where less than half goes,
// H⁻¹ once and the removal of the pruned columns from the optimum of all of them (ibid., eq. 4,
// for a group of weights); and conjugate gradients with a diagonal preconditioner, projected onto
// the support, over all rows at once (one matrix product an iteration), for layers of thousands of
// columns.
#pragma once

#include "reconstruction/second_order/layer_problem.h"

namespace sparsify {

enum class LeastSquaresSolver { kAuto, kCholesky, kInverse, kConjugateGradients };

struct LeastSquaresOptions {
  double damping = 0.01;  // λ as a share of the mean diagonal
  LeastSquaresSolver solver = LeastSquaresSolver::kAuto;
  /// Conjugate gradients: stop a row at |t − Hw| <= tolerance·|t| on its support, both in the
  /// norm of the preconditioner; `converged` is false after max_iterations.
  double tolerance = 1e-5;
  int max_iterations = 300;
  /// Of the weight's shape: where conjugate gradients begin, instead of the given weights. Not
  /// owned.
  const Tensor* start = nullptr;
};

/// New weights on the support of `mask`; pruned weights are zero, the mask is returned as
/// given. Throws Error naming the layer on shapes that differ, a NaN, no samples, or no
/// positive definite H at any damping.
LayerSolution SolveLeastSquares(const LayerStatistics& statistics, const Tensor& weight,
                                const Mask& mask, const LeastSquaresOptions& options = {});

/// One group's rows; false when H is not positive definite on a support. `solution.keep` is
/// given; `solution.weights` may hold what conjugate gradients begin with; the other members are
/// set.
bool SolveOnSupport(const GroupProblem& problem, const LeastSquaresOptions& options,
                    GroupSolution& solution);

}  // namespace sparsify
