// The damped quadratic problem of one group of a layer, and the result every solver returns.
//
// For a row w of the weight with inputs x, target y and given weight v, the loss is
//   J(w) = E[((y−ȳ) − w·(x−x̄))²] + λ|w−v|² = const + w·H·w − 2 t·w,
// with H = Cov(x) + λI and t = Cov(y, x) + λv; the bias ȳ − w·x̄ makes the means match. λ is
// `damping` times the mean diagonal of Cov(x). Published texts hold 2H and half the loss: the
// cost of removing a weight from the optimum, w_p²/[H⁻¹]_pp, is the same number.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "reconstruction/second_order/linear_algebra.h"
#include "reconstruction/second_order/statistics.h"
#include "sparsity/mask/mask.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Non-zero where a weight stays; rows×columns of one group.
using KeepMatrix = Eigen::Array<uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct GroupProblem {
  Matrix hessian;  // H, columns×columns
  Matrix target;   // t of each row, rows×columns
  Matrix given;    // v of each row
  Vector input_mean;
  Vector input_square;  // E[x²], not centred
  Vector target_variance;
  double lambda = 0;
};

/// What a solver did to a layer.
struct LayerSolution {
  Mask mask;      // of the weight's shape
  Tensor weight;  // zero where pruned
  Tensor bias;    // [O], matches the means; a layer without a bias needs one now
  /// Σ over outputs of E[(y − w·x − b)²] (no damping), and of Var(y).
  double loss = 0;
  double target_variance = 0;
  /// Largest damping used, relative to the mean diagonal, and how often a failed
  /// factorisation raised it (tenfold each time).
  double damping = 0;
  int damping_raises = 0;
  /// Conjugate gradients: most iterations of a group, largest relative residual, and whether
  /// every row reached the tolerance. Cholesky: 0, 0, true.
  int iterations = 0;
  double residual = 0;
  bool converged = true;
};

/// What a solver makes of one group.
struct GroupSolution {
  KeepMatrix keep;
  Matrix weights;
  int iterations = 0;
  double residual = 0;
  bool converged = true;
};

/// Throws Error naming the layer unless `weight` has the layer's shape and is finite, and
/// damping is in [0, 1e6].
void CheckGiven(const LayerStatistics& statistics, const Tensor& weight, double damping);
/// Throws Error naming the layer unless sparsity is in [0, 1].
void CheckSparsity(const LayerStatistics& statistics, double sparsity);

/// The problem of one group. Where every input is constant, λ is 1: the weights stay.
GroupProblem MakeGroupProblem(const LayerStatistics& statistics, const Tensor& weight,
                              int64_t group, double damping);

/// Calls `solve` until it succeeds: false means that H was not positive definite, and the
/// damping is raised tenfold (to 1e-4 at least, as what barely factors solves for
/// rounding), at most 12 times, with a warning that names
/// the layer; then throws. `damping` and `raises` tell what happened.
void SolveWithDamping(const LayerStatistics& statistics, const Tensor& weight, int64_t group,
                      double& damping, int& raises,
                      const std::function<bool(GroupProblem&)>& solve);

/// Solves every group in turn and assembles the result. `solve` returns false on a failed
/// factorisation. Pruned weights are made zero here.
using GroupSolver = std::function<bool(int64_t group, GroupProblem&, GroupSolution&)>;
LayerSolution SolveLayer(const LayerStatistics& statistics, const Tensor& weight, double damping,
                         const GroupSolver& solve);

/// The dense optimum of every row, H⁻¹t. False when H is not positive definite.
bool DenseOptimum(const GroupProblem& problem, Matrix& weights);

/// What a row's loss counts: 1, or with `scale` 1 over the variance of its targets (1 where that is
/// 0), as folding batch norm gives every row a scale of its own.
double RowWeight(double target_variance, bool scale);

/// Rows of `group` of a tensor of the weight's shape.
Matrix GroupRows(const LayerStatistics& statistics, const Tensor& weight, int64_t group);

/// Rows of `group` of a mask as a matrix. Throws Error naming the layer on another shape.
KeepMatrix GroupMask(const LayerStatistics& statistics, const Mask& mask, int64_t group);

/// The quadratic loss of given rows: Σ (Var(y) + w·H·w − 2 t·w) with the moments' own,
/// undamped H and t; never negative.
double QuadraticLoss(const Moments& moments, const Matrix& weights);

/// Σ over outputs of E[(y − w·x − b)²] with these weights; `bias` is [O], [1] or null.
double LayerLoss(const LayerStatistics& statistics, const Tensor& weight, const Tensor* bias);

}  // namespace sparsify
