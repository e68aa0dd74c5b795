#include "reconstruction/second_order/layer_problem.h"

#include <algorithm>

#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/log.h"

namespace sparsify {
namespace {

constexpr int kMostRaises = 12;
constexpr double kFirstRaise = 1e-4;

GroupProblem Build(const Moments& moments, const LayerStatistics& statistics, const Tensor& weight,
                   int64_t group, double damping) {
  GroupProblem problem;
  problem.given = GroupRows(statistics, weight, group);
  const double mean_diagonal = moments.covariance.diagonal().mean();
  problem.lambda = mean_diagonal > 0 ? damping * mean_diagonal : 1.0;
  problem.hessian = moments.covariance;
  problem.hessian.diagonal().array() += problem.lambda;
  problem.target = moments.cross_covariance + problem.lambda * problem.given;
  problem.input_mean = moments.input_mean;
  problem.input_square = moments.covariance.diagonal() + moments.input_mean.cwiseAbs2();
  problem.target_variance = moments.target_variance;
  return problem;
}

// Writes one group into the layer's weight, mask and bias.
void Store(const GroupSolution& group, const Moments& moments, int64_t first_row,
           LayerSolution& layer) {
  const int64_t columns = group.weights.cols();
  for (int64_t r = 0; r < group.weights.rows(); ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t at = (first_row + r) * columns + c;
      layer.mask.Set(at, group.keep(r, c) != 0);
      layer.weight[at] = static_cast<float>(group.weights(r, c));
    }
    layer.bias[first_row + r] =
        static_cast<float>(moments.target_mean[r] - group.weights.row(r).dot(moments.input_mean));
  }
  layer.loss += QuadraticLoss(moments, group.weights);
  layer.target_variance += moments.target_variance.sum();
}

}  // namespace

void CheckGiven(const LayerStatistics& statistics, const Tensor& weight, double damping) {
  const std::string& name = statistics.layer_name();
  if (weight.shape() != statistics.weight_shape()) {
    Fail(name, "weight has shape {}, the statistics are for {}", weight.shape().ToString(),
         statistics.weight_shape().ToString());
  }
  const int64_t bad = FirstNonFinite(weight);
  if (bad >= 0) {
    Fail(name, "weight of shape {} holds {} at flat index {}; repair the model first",
         weight.shape().ToString(), weight[bad], bad);
  }
  if (!(damping >= 0 && damping <= 1e6)) {
    Fail(name, "damping {} is outside 0 … 1e6; give a share of the mean diagonal, e.g. 0.01",
         damping);
  }
}

void CheckSparsity(const LayerStatistics& statistics, double sparsity) {
  if (sparsity >= 0 && sparsity <= 1) return;
  Fail(statistics.layer_name(), "sparsity {} is outside 0 … 1; give a fraction, not percent",
       sparsity);
}

double RowWeight(double target_variance, bool scale) {
  return scale && target_variance > 0 ? 1 / target_variance : 1.0;
}

GroupProblem MakeGroupProblem(const LayerStatistics& statistics, const Tensor& weight,
                              int64_t group, double damping) {
  return Build(statistics.GroupMoments(group), statistics, weight, group, damping);
}

void SolveWithDamping(const LayerStatistics& statistics, const Tensor& weight, int64_t group,
                      double& damping, int& raises,
                      const std::function<bool(GroupProblem&)>& solve) {
  const Moments moments = statistics.GroupMoments(group);
  for (int attempt = 0;; ++attempt) {
    ThrowIfInterrupted();
    GroupProblem problem = Build(moments, statistics, weight, group, damping);
    if (solve(problem)) return;
    if (attempt == kMostRaises) {
      Fail(statistics.layer_name(),
           "group {}: no Cholesky factor even with damping {:g} of the mean diagonal; check the "
           "calibration images",
           group, damping);
    }
    const double raised = std::max(kFirstRaise, 10 * damping);
    Warn(
        "{}: group {}: Cholesky factorisation failed with damping {:g} of the mean diagonal; "
        "raised to {:g}",
        statistics.layer_name(), group, damping, raised);
    damping = raised;
    ++raises;
  }
}

LayerSolution SolveLayer(const LayerStatistics& statistics, const Tensor& weight, double damping,
                         const GroupSolver& solve) {
  CheckGiven(statistics, weight, damping);
  LayerSolution layer;
  layer.mask = Mask(weight.shape());
  layer.weight = Tensor(weight.shape());
  layer.bias = Tensor(Shape{weight.shape()[0]});
  layer.damping = damping;
  for (int64_t group = 0; group < statistics.groups(); ++group) {
    GroupSolution solution;
    double used = damping;
    SolveWithDamping(statistics, weight, group, used, layer.damping_raises,
                     [&](GroupProblem& problem) {
                       solution = {};
                       return solve(group, problem, solution) && solution.weights.allFinite();
                     });
    solution.weights.array() *= (solution.keep != 0).cast<double>();
    Store(solution, statistics.GroupMoments(group), group * statistics.rows(), layer);
    layer.damping = std::max(layer.damping, used);
    layer.iterations = std::max(layer.iterations, solution.iterations);
    layer.residual = std::max(layer.residual, solution.residual);
    layer.converged = layer.converged && solution.converged;
  }
  return layer;
}

bool DenseOptimum(const GroupProblem& problem, Matrix& weights) {
  Matrix factor = problem.hessian;
  if (!FactorCholesky(factor)) return false;
  weights = problem.target;
  SolveCholesky(factor, weights);
  return weights.allFinite();
}

Matrix GroupRows(const LayerStatistics& statistics, const Tensor& weight, int64_t group) {
  const int64_t rows = statistics.rows();
  const int64_t columns = statistics.columns();
  return Eigen::Map<const FloatMatrix>(weight.data() + group * rows * columns, rows, columns)
      .cast<double>();
}

KeepMatrix GroupMask(const LayerStatistics& statistics, const Mask& mask, int64_t group) {
  if (mask.shape() != statistics.weight_shape()) {
    Fail(statistics.layer_name(), "mask has shape {}, the weight {}", mask.shape().ToString(),
         statistics.weight_shape().ToString());
  }
  KeepMatrix keep(statistics.rows(), statistics.columns());
  const int64_t first = group * keep.size();
  for (int64_t i = 0; i < keep.size(); ++i) keep.data()[i] = mask[first + i] ? 1 : 0;
  return keep;
}

double QuadraticLoss(const Moments& moments, const Matrix& weights) {
  Matrix product;
  Multiply(weights, moments.covariance, product);
  const double loss = moments.target_variance.sum() + weights.cwiseProduct(product).sum() -
                      2 * weights.cwiseProduct(moments.cross_covariance).sum();
  return std::max(0.0, loss);
}

double LayerLoss(const LayerStatistics& statistics, const Tensor& weight, const Tensor* bias) {
  double loss = 0;
  const int64_t rows = statistics.rows();
  for (int64_t group = 0; group < statistics.groups(); ++group) {
    const Moments moments = statistics.GroupMoments(group);
    const Matrix w = GroupRows(statistics, weight, group);
    Vector shift = moments.target_mean - w * moments.input_mean;
    for (int64_t r = 0; bias != nullptr && r < rows; ++r) {
      shift[r] -= (*bias)[bias->size() == 1 ? 0 : group * rows + r];
    }
    loss += QuadraticLoss(moments, w) + shift.squaredNorm();
  }
  return loss;
}

}  // namespace sparsify
