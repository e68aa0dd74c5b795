#include "reconstruction/second_order/statistics_correction.h"

#include <algorithm>
#include <cmath>

namespace sparsify {
namespace {

using FloatRows = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// The factor of one row; 1 for a flat one.
double RowScale(const Moments& moments, const Matrix& weights, const Matrix& product, int64_t row,
                const CorrectionOptions& options, CorrectionCounts& counts) {
  constexpr double kRounding = 1e-10;
  const double variance = weights.row(row).dot(product.row(row));
  const double bound =
      weights.row(row).cwiseAbs().dot(moments.covariance.diagonal().cwiseSqrt().transpose());
  const double wanted = moments.target_variance[row];
  if (!(variance > kRounding * bound * bound) || !(wanted > 0)) {
    ++counts.flat;
    return 1;
  }
  const double scale = std::sqrt(wanted / variance);
  const double allowed = std::clamp(scale, options.min_scale, options.max_scale);
  if (allowed != scale) ++counts.limited;
  return allowed;
}

}  // namespace

CorrectionCounts CorrectStatistics(const LayerStatistics& statistics,
                                   const CorrectionOptions& options, LayerSolution& layer) {
  CorrectionCounts counts;
  layer.loss = 0;
  const int64_t rows = statistics.rows();
  const int64_t columns = statistics.columns();
  for (int64_t group = 0; group < statistics.groups(); ++group) {
    const Moments moments = statistics.GroupMoments(group);
    FloatRows stored(layer.weight.data() + group * rows * columns, rows, columns);
    Matrix weights = stored.cast<double>();
    Matrix product;
    Multiply(weights, moments.covariance, product);
    for (int64_t row = 0; row < rows; ++row) {
      weights.row(row) *= RowScale(moments, weights, product, row, options, counts);
    }
    stored = weights.cast<float>();
    const Vector bias = moments.target_mean - weights * moments.input_mean;
    for (int64_t row = 0; row < rows; ++row) {
      layer.bias[group * rows + row] = static_cast<float>(bias[row]);
    }
    layer.loss += QuadraticLoss(moments, weights);
  }
  return counts;
}

LayerSolution CorrectGiven(const LayerStatistics& statistics, const Tensor& weight,
                           const Mask& mask, const CorrectionOptions& options,
                           CorrectionCounts& counts) {
  LayerSolution layer = SolveLayer(
      statistics, weight, 0, [&](int64_t group, GroupProblem& problem, GroupSolution& solution) {
        solution.keep = GroupMask(statistics, mask, group);
        solution.weights = problem.given;
        return true;
      });
  counts = CorrectStatistics(statistics, options, layer);
  return layer;
}

}  // namespace sparsify
