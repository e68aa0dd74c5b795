#include "reconstruction/sensitivity_cost.h"

#include <algorithm>

namespace sparsify {
namespace {

constexpr double kUnit = 1e-9;
constexpr double kTypicalIterations = 40;  // of conjugate gradients at a loose tolerance
constexpr double kDoublePrecision = 2;     // against float

double Columns(const Layer& layer) {
  return static_cast<double>(layer.parameters / layer.weight_shape[0]);
}

}  // namespace

SensitivityCost::SensitivityCost(const std::vector<Layer>& layers, int64_t images,
                                 int64_t max_positions, int64_t measured, int64_t levels)
    : layers_(layers),
      images_(static_cast<double>(images)),
      measured_(static_cast<double>(measured)),
      levels_(static_cast<double>(levels)),
      max_positions_(max_positions) {}

double SensitivityCost::NetworkFrom(int node) const {
  double macs = 0;
  for (const Layer& layer : layers_) {
    if (layer.node >= node) macs += static_cast<double>(layer.macs);
  }
  return kUnit * macs;
}

double SensitivityCost::Network() const { return NetworkFrom(0); }

double SensitivityCost::Trials(const Layer& layer) const {
  return measured_ * levels_ * NetworkFrom(layer.node);
}

double SensitivityCost::Statistics(const Layer& layer) const {
  int64_t positions = 1;
  for (int d = 1; d < layer.output_shape.rank(); ++d) positions *= layer.output_shape[d];
  if (max_positions_ > 0) positions = std::min(positions, max_positions_);
  const double products =
      static_cast<double>(positions * layer.groups) * Columns(layer) * Columns(layer);
  return kUnit * images_ * (static_cast<double>(layer.macs) + products);
}

double SensitivityCost::Solving(const Layer& layer) const {
  return kUnit * kDoublePrecision * kTypicalIterations * levels_ *
         static_cast<double>(layer.parameters) * Columns(layer);
}

}  // namespace sparsify
