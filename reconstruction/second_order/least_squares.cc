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

// Conjugate gradients take about this many iterations, and small factors run at a lower rate
// than large products.
constexpr double kTypicalIterations = 100;
constexpr double kFactorSlowdown = 1.6;

std::vector<int64_t> Support(const KeepMatrix& keep, int64_t row) {
  std::vector<int64_t> support;
  for (int64_t c = 0; c < keep.cols(); ++c) {
    if (keep(row, c) != 0) support.push_back(c);
  }
  return support;
}

bool SolveRow(const GroupProblem& problem, const KeepMatrix& keep, int64_t row, Matrix& weights) {
  const std::vector<int64_t> support = Support(keep, row);
  const auto n = static_cast<int64_t>(support.size());
  Matrix h(n, n);
  Matrix t(1, n);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = support[static_cast<size_t>(i)];
    for (int64_t j = 0; j <= i; ++j) h(i, j) = problem.hessian(at, support[static_cast<size_t>(j)]);
    t(0, i) = problem.target(row, at);
  }
  if (!FactorCholesky(h)) return false;
  SolveCholesky(h, t);
  for (int64_t i = 0; i < n; ++i) weights(row, support[static_cast<size_t>(i)]) = t(0, i);
  return true;
}

bool SolveRows(const GroupProblem& problem, GroupSolution& solution) {
  solution.weights = Matrix::Zero(problem.target.rows(), problem.target.cols());
  std::atomic<bool> good = true;
  ParallelFor(problem.target.rows(), [&](int64_t row) {
    if (!good) return;
    ThrowIfInterrupted();
    if (!SolveRow(problem, solution.keep, row, solution.weights)) good = false;
  });
  return good;
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
    w = problem_.given.cwiseProduct(project_);
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

bool CholeskyIsCheaper(const KeepMatrix& keep) {
  double cholesky = 0;
  for (int64_t row = 0; row < keep.rows(); ++row) {
    const auto kept = static_cast<double>(Support(keep, row).size());
    cholesky += kFactorSlowdown * kept * kept * kept / 3 + 4 * kept * kept;
  }
  const auto columns = static_cast<double>(keep.cols());
  return cholesky <= kTypicalIterations * 2 * static_cast<double>(keep.rows()) * columns * columns;
}

}  // namespace

bool SolveOnSupport(const GroupProblem& problem, const LeastSquaresOptions& options,
                    GroupSolution& solution) {
  const bool cholesky =
      options.solver == LeastSquaresSolver::kCholesky ||
      (options.solver == LeastSquaresSolver::kAuto && CholeskyIsCheaper(solution.keep));
  if (cholesky) return SolveRows(problem, solution);
  return ConjugateGradients(problem, options, solution).Run();
}

LayerSolution SolveLeastSquares(const LayerStatistics& statistics, const Tensor& weight,
                                const Mask& mask, const LeastSquaresOptions& options) {
  if (!(options.tolerance > 0) || options.max_iterations < 1) {
    Fail(statistics.layer_name(), "tolerance {} and max_iterations {} must be positive",
         options.tolerance, options.max_iterations);
  }
  LayerSolution layer =
      SolveLayer(statistics, weight, options.damping,
                 [&](int64_t group, GroupProblem& problem, GroupSolution& solution) {
                   solution.keep = GroupMask(statistics, mask, group);
                   return SolveOnSupport(problem, options, solution);
                 });
  if (!layer.converged) {
    Warn("{}: least squares stopped after {} iterations at relative residual {:.1e}, {:.1e} asked",
         statistics.layer_name(), layer.iterations, layer.residual, options.tolerance);
  }
  return layer;
}

}  // namespace sparsify
