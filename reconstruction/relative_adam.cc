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
  std::vector<ValueId> ids;
  for (const auto& [id, parameter] : parameters_) ids.push_back(id);
  ParallelFor(std::ssize(ids), [&](int64_t k) {
    const ValueId id = ids[static_cast<size_t>(k)];
    Move(states_.at(id), gradients.at(id), lr, parameters_.at(id));
  });
}

void RelativeAdam::Move(State& state, const Tensor& gradient, double lr, Tensor& parameter) const {
  const auto t = static_cast<double>(steps_);
  const double spread = std::sqrt(1 - std::pow(kBeta2, t));
  const double correction = spread / (1 - std::pow(kBeta1, t));
  const auto epsilon = static_cast<float>(kEpsilon * spread);
  const int64_t columns = parameter.size() / std::ssize(state.scales);
  int64_t i = 0;
  for (const double scale : state.scales) {
    const auto slope = static_cast<float>(scale);  // ∂w/∂d
    const auto step = static_cast<float>(scale * lr * correction);
    for (const int64_t end = i + columns; i < end; ++i) {
      if (state.mask.size() > 0 && !state.mask[i]) continue;
      const float g = gradient[i] * slope;
      float& m = state.first[i];
      float& v = state.second[i];
      m += static_cast<float>(1 - kBeta1) * (g - m);
      v += static_cast<float>(1 - kBeta2) * (g * g - v);
      parameter[i] -= step * m / (std::sqrt(v) + epsilon);
    }
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
