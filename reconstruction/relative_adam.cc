#include "reconstruction/relative_adam.h"

#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {

void RelativeAdam::Add(ValueId id, Tensor start, std::vector<double> scales, const Mask* mask) {
  if (scales.empty() || start.size() % std::ssize(scales) != 0) {
    Fail("polish", "{} row scales given for a parameter of shape {}", scales.size(),
         start.shape().ToString());
  }
  State state;
  state.scales = std::move(scales);
  state.first = Tensor(start.shape());
  state.second = Tensor(start.shape());
  if (mask != nullptr) {
    ApplyMask(*mask, start);
    state.mask = *mask;
  }
  parameters_.insert_or_assign(id, std::move(start));
  states_.insert_or_assign(id, std::move(state));
}

void RelativeAdam::Step(const std::map<ValueId, Tensor>& gradients, double lr) {
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const double correction = std::sqrt(1 - std::pow(kBeta2, t)) / (1 - std::pow(kBeta1, t));
  const double epsilon = kEpsilon * std::sqrt(1 - std::pow(kBeta2, t));
  for (auto& [id, parameter] : parameters_) {
    State& state = states_.at(id);
    const Tensor& gradient = gradients.at(id);
    const auto rows = std::ssize(state.scales);
    const int64_t columns = parameter.size() / rows;
    float* w = parameter.data();
    ParallelFor(rows, [&](int64_t row) {
      const double scale = state.scales[static_cast<size_t>(row)];
      const auto slope = static_cast<float>(scale);  // ∂w/∂d
      const auto step = static_cast<float>(scale * lr * correction);
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        if (state.mask.size() > 0 && !state.mask[i]) continue;
        const float g = gradient[i] * slope;
        float& m = state.first[i];
        float& v = state.second[i];
        m += static_cast<float>(1 - kBeta1) * (g - m);
        v += static_cast<float>(1 - kBeta2) * (g * g - v);
        w[i] -= step * m / (std::sqrt(v) + static_cast<float>(epsilon));
      }
    });
  }
}

std::vector<double> RowRms(const Tensor& tensor, int64_t rows) {
  const int64_t columns = tensor.size() / rows;
  std::vector<double> rms;
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
      sum += double{tensor[i]} * tensor[i];
    }
    rms.push_back(std::sqrt(sum / static_cast<double>(columns)));
  }
  return rms;
}

}  // namespace sparsify
