#include "sparsity/allocation/loss_curve.h"

#include <algorithm>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

constexpr double kFar = 0.99;        // the first point behind the measured ones
constexpr double kFarFactor = 4;     // of the last loss
constexpr double kWholeFactor = 16;  // of the largest last loss: the layer is gone

double LargestLoss(const std::vector<SensitivityCurve>& curves) {
  double largest = 0;
  for (const SensitivityCurve& curve : curves) {
    for (const double loss : curve.loss) largest = std::max(largest, loss);
  }
  return largest;
}

// The points of a curve up to `cap`.
std::vector<LossPoint> PointsOf(const SensitivityCurve& curve, double cap, double whole_loss) {
  std::vector<LossPoint> points = {{0, 0}};
  for (size_t i = 0; i < curve.sparsity.size(); ++i) {
    if (curve.sparsity[i] <= 0) continue;
    points.push_back({curve.sparsity[i], std::max(points.back().loss, curve.loss[i])});
  }
  if (curve.sparsity.size() == 1) {
    std::erase_if(points, [&](const LossPoint& point) { return point.sparsity > cap; });
    return points;
  }
  const LossPoint last = points.back();
  if (last.sparsity < kFar) points.push_back({kFar, kFarFactor * last.loss});
  if (last.sparsity < 1) points.push_back({1, std::max(whole_loss, points.back().loss)});
  const double at_cap = LossCurve{points}.LossAt(cap);
  std::erase_if(points, [&](const LossPoint& point) { return point.sparsity >= cap; });
  points.push_back({cap, at_cap});
  return points;
}

}  // namespace

double LossCurve::LossAt(double sparsity) const {
  size_t i = 1;
  while (i < points.size() && points[i].sparsity < sparsity) ++i;
  if (i >= points.size()) return points.back().loss;
  const LossPoint& a = points[i - 1];
  const LossPoint& b = points[i];
  return a.loss + (b.loss - a.loss) * (sparsity - a.sparsity) / (b.sparsity - a.sparsity);
}

std::vector<LossCurve> LossCurvesOf(const std::vector<SensitivityCurve>& curves,
                                    double max_sparsity) {
  const double whole_loss = kWholeFactor * LargestLoss(curves);
  std::vector<LossCurve> losses;
  for (const SensitivityCurve& curve : curves) {
    if (curve.sparsity.empty() || curve.sparsity.size() != curve.loss.size()) {
      Fail(curve.layer, "its sensitivity curve has {} sparsities and {} losses",
           curve.sparsity.size(), curve.loss.size());
    }
    losses.push_back({PointsOf(curve, max_sparsity, whole_loss), curve.sparsity.size() > 1});
  }
  return losses;
}

}  // namespace sparsify
