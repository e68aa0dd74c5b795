#include "sparsity/allocation/erk_allocation.h"

#include <algorithm>
#include <cmath>

namespace sparsify {
namespace {

double RawDensity(const Shape& shape, double power) {
  double sum = 0;
  double product = 1;
  for (const int64_t dim : shape.dims()) {
    sum += static_cast<double>(dim);
    product *= static_cast<double>(dim);
  }
  return product > 0 ? std::pow(sum / product, power) : 1;
}

// Σnᵢ·clamp(ε·rawᵢ, floor, 1): rises with ε.
double KeptAt(const AllocationProblem& problem, const std::vector<double>& raw, double epsilon) {
  const double floor = 1 - problem.options.max_layer_sparsity;
  double kept = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    kept +=
        static_cast<double>(problem.layer(i).parameters) * std::clamp(epsilon * raw[i], floor, 1.0);
  }
  return kept;
}

}  // namespace

std::vector<double> AllocateErk(const AllocationProblem& problem) {
  CheckCapReaches(problem);
  std::vector<double> raw;
  for (size_t i = 0; i < problem.selected.size(); ++i) {
    raw.push_back(RawDensity(problem.layer(i).weight_shape, problem.options.erk_power));
  }
  const double target = (1 - problem.sparsity) * static_cast<double>(problem.TotalWeights());
  double low = 0;
  double high = raw.empty() ? 0 : 1 / *std::min_element(raw.begin(), raw.end());  // all dense
  for (int step = 0; step < 200 && low < high; ++step) {
    const double middle = low + (high - low) / 2;
    (KeptAt(problem, raw, middle) < target ? low : high) = middle;
  }
  std::vector<double> sparsity;
  for (const double r : raw) {
    sparsity.push_back(1 - std::clamp(high * r, 1 - problem.options.max_layer_sparsity, 1.0));
  }
  return sparsity;
}

}  // namespace sparsify
