#include "reconstruction/second_order/least_squares.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

// Conjugate gradients take about this many iterations (fewer where they begin near the solution),
// and small factors run at a lower rate than large products.
constexpr double kTypicalIterations = 100;
constexpr double kIterationsFromStart = 50;
constexpr double kFactorSlowdown = 1.6;

/// Columns of a row that stay, or those that go.
std::vector<int64_t> Columns(const KeepMatrix& keep, int64_t row, bool kept) {
  std::vector<int64_t> columns;
  for (int64_t c = 0; c < keep.cols(); ++c) {
    if ((keep(row, c) != 0) == kept) columns.push_back(c);
  }
  return columns;
}

/// a[at, at], lower triangle.
Matrix Submatrix(const Matrix& a, const std::vector<int64_t>& at) {
  const auto n = static_cast<int64_t>(at.size());
  Matrix part(n, n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      part(i, j) = a(at[static_cast<size_t>(i)], at[static_cast<size_t>(j)]);
    }
  }
  return part;
}

bool SolveRow(const GroupProblem& problem, const KeepMatrix& keep, int64_t row, Matrix& weights) {
  const std::vector<int64_t> support = Columns(keep, row, true);
  const auto n = static_cast<int64_t>(support.size());
  Matrix h = Submatrix(problem.hessian, support);
  Matrix t(1, n);
  for (int64_t i = 0; i < n; ++i) t(0, i) = problem.target(row, support[static_cast<size_t>(i)]);
  if (!FactorCholesky(h)) return false;
  SolveCholesky(h, t);
  for (int64_t i = 0; i < n; ++i) weights(row, support[static_cast<size_t>(i)]) = t(0, i);
  return true;
}

/// Calls solve(row) for every row in parallel until one returns false.
template <class Solve>
bool ForRows(int64_t rows, const Solve& solve) {
  std::atomic<bool> good = true;
  ParallelFor(rows, [&](int64_t row) {
    if (!good) return;
    ThrowIfInterrupted();
    if (!solve(row)) good = false;
  });
  return good;
}

bool SolveRows(const GroupProblem& problem, GroupSolution& solution) {
  solution.weights = Matrix::Zero(problem.target.rows(), problem.target.cols());
  return ForRows(problem.target.rows(), [&](int64_t row) {
    return SolveRow(problem, solution.keep, row, solution.weights);
  });
}

/// (H⁻¹[P, P])⁻¹ w[P] of the columns P that go from a row, in their places of `factors`.
bool RemovalFactors(const Matrix& inverse, const KeepMatrix& keep, int64_t row,
                    const Matrix& weights, Matrix& factors) {
  const std::vector<int64_t> pruned = Columns(keep, row, false);
  const auto n = static_cast<int64_t>(pruned.size());
  Matrix part = Submatrix(inverse, pruned);
  Matrix of_row(1, n);
  for (int64_t i = 0; i < n; ++i) of_row(0, i) = weights(row, pruned[static_cast<size_t>(i)]);
  if (!FactorCholesky(part)) return false;
  SolveCholesky(part, of_row);
  for (int64_t i = 0; i < n; ++i) factors(row, pruned[static_cast<size_t>(i)]) = of_row(0, i);
  return true;
}

/// From the optimum of all columns, w − H⁻¹[:, P] (H⁻¹[P, P])⁻¹ w[P].
bool SolveByInverse(const GroupProblem& problem, GroupSolution& solution) {
  Matrix inverse = problem.hessian;
  if (!InvertSymmetric(inverse)) return false;
  Matrix& weights = solution.weights;
  Multiply(problem.target, inverse, weights);
  Matrix factors = Matrix::Zero(weights.rows(), weights.cols());
  const bool good = ForRows(weights.rows(), [&](int64_t row) {
    return RemovalFactors(inverse, solution.keep, row, weights, factors);
  });
  if (!good) return false;
  Matrix correction;
  Multiply(factors, inverse, correction);
  weights = (solution.keep != 0).select((weights - correction).array(), 0).matrix();
  return true;
}

// All rows at once; each row has its own step lengths and stops on its own.
class ConjugateGradients {
 public:
  ConjugateGradients(const GroupProblem& problem, const LeastSquaresOptions& options,
                     GroupSolution& solution)
      : problem_(problem),
        options_(options),
        solution_(solution),
        project_((solution.keep != 0).cast<double>().matrix()),
        inverse_diagonal_(problem.hessian.diagonal().cwiseInverse()) {}

  bool Run() {
    if (!(problem_.hessian.diagonal().minCoeff() > 0)) return false;
    Start();
    for (solution_.iterations = 0; !Done() && solution_.iterations < options_.max_iterations;
         ++solution_.iterations) {
      ThrowIfInterrupted();
      if (!Step()) return false;
    }
    Report();
    return true;
  }

 private:
  void Start() {
    Matrix& w = solution_.weights;
    w = (w.size() > 0 ? w : problem_.given).cwiseProduct(project_).eval();
    Multiply(w, problem_.hessian, product_);
    residual_ = (problem_.target - product_).cwiseProduct(project_);
    scaled_ = residual_ * inverse_diagonal_.asDiagonal();
    direction_ = scaled_;
    energy_ = residual_.cwiseProduct(scaled_).rowwise().sum();
    const Matrix t = problem_.target.cwiseProduct(project_);
    limit_ = t.cwiseAbs2() * inverse_diagonal_ * options_.tolerance * options_.tolerance;
  }

  bool Finished(int64_t row) const { return !(energy_[row] > limit_[row]); }
  bool Done() const {
    for (int64_t row = 0; row < energy_.size(); ++row) {
      if (!Finished(row)) return false;
    }
    return true;
  }

  bool Step() {
    Multiply(direction_, problem_.hessian, product_);
    std::atomic<bool> good = true;
    ParallelFor(energy_.size(), [&](int64_t row) {
      if (!Finished(row) && !StepRow(row)) good = false;
    });
    return good;
  }

  // False when the curvature along the direction is not positive.
  bool StepRow(int64_t row) {
    const double curvature = direction_.row(row).dot(product_.row(row));
    if (!(curvature > 0) || !std::isfinite(curvature)) return false;
    const double step = energy_[row] / curvature;
    solution_.weights.row(row) += step * direction_.row(row);
    residual_.row(row) -= step * product_.row(row).cwiseProduct(project_.row(row));
    scaled_.row(row) = residual_.row(row).cwiseProduct(inverse_diagonal_.transpose());
    const double energy = residual_.row(row).dot(scaled_.row(row));
    direction_.row(row) = scaled_.row(row) + energy / energy_[row] * direction_.row(row);
    energy_[row] = energy;
    return std::isfinite(energy);
  }

  void Report() {
    solution_.converged = Done();
    for (int64_t row = 0; row < energy_.size(); ++row) {
      if (!(limit_[row] > 0)) continue;
      const double relative = std::sqrt(energy_[row] / limit_[row]) * options_.tolerance;
      solution_.residual = std::max(solution_.residual, relative);
    }
  }

  const GroupProblem& problem_;
  const LeastSquaresOptions& options_;
  GroupSolution& solution_;
  Matrix project_;
  Vector inverse_diagonal_;
  Matrix product_, residual_, scaled_, direction_;
  Vector energy_, limit_;  // squared residual of each row, and where it may stop
};

double FactorCost(double n) { return kFactorSlowdown * n * n * n / 3 + 4 * n * n; }

/// The solver that takes the fewest operations.
LeastSquaresSolver Cheapest(const KeepMatrix& keep, bool has_start) {
  const auto columns = static_cast<double>(keep.cols());
  const auto rows = static_cast<double>(keep.rows());
  double cholesky = 0;
  double inverse = kFactorSlowdown * columns * columns * columns + 4 * rows * columns * columns;
  for (int64_t row = 0; row < keep.rows(); ++row) {
    const auto kept = static_cast<double>(Columns(keep, row, true).size());
    cholesky += FactorCost(kept);
    inverse += FactorCost(columns - kept);
  }
  const double iterations = has_start ? kIterationsFromStart : kTypicalIterations;
  const double gradients = iterations * 2 * rows * columns * columns;
  if (cholesky <= std::min(inverse, gradients)) return LeastSquaresSolver::kCholesky;
  return inverse <= gradients ? LeastSquaresSolver::kInverse
                              : LeastSquaresSolver::kConjugateGradients;
}

}  // namespace

bool SolveOnSupport(const GroupProblem& problem, const LeastSquaresOptions& options,
                    GroupSolution& solution) {
  const LeastSquaresSolver solver = options.solver == LeastSquaresSolver::kAuto
                                        ? Cheapest(solution.keep, solution.weights.size() > 0)
                                        : options.solver;
  if (solver == LeastSquaresSolver::kCholesky) return SolveRows(problem, solution);
  if (solver == LeastSquaresSolver::kInverse) return SolveByInverse(problem, solution);
  return ConjugateGradients(problem, options, solution).Run();
}

LayerSolution SolveLeastSquares(const LayerStatistics& statistics, const Tensor& weight,
                                const Mask& mask, const LeastSquaresOptions& options) {
  if (!(options.tolerance > 0) || options.max_iterations < 1) {
    Fail(statistics.layer_name(), "tolerance {} and max_iterations {} must be positive",
         options.tolerance, options.max_iterations);
  }
  if (options.start != nullptr) CheckGiven(statistics, *options.start, options.damping);
  LayerSolution layer =
      SolveLayer(statistics, weight, options.damping,
                 [&](int64_t group, GroupProblem& problem, GroupSolution& solution) {
                   solution.keep = GroupMask(statistics, mask, group);
                   if (options.start != nullptr) {
                     solution.weights = GroupRows(statistics, *options.start, group);
                   }
                   return SolveOnSupport(problem, options, solution);
                 });
  if (!layer.converged) {
    Warn("{}: least squares stopped after {} iterations at relative residual {:.1e}, {:.1e} asked",
         statistics.layer_name(), layer.iterations, layer.residual, options.tolerance);
  }
  return layer;
}

}  // namespace sparsify
