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
  State state{{scales.begin(), scales.end()}, {}, Tensor(start.shape()), Adam(start.size())};
  if (mask != nullptr) {
    ApplyMask(*mask, start);
    state.keep = Tensor(start.shape());
    for (int64_t i = 0; i < start.size(); ++i) state.keep[i] = (*mask)[i] ? 1 : 0;
  }
  parameters_.insert_or_assign(id, std::move(start));
  states_.insert_or_assign(id, std::move(state));
}

void RelativeAdam::Restore(ValueId id, const Tensor& parameter, const Tensor& mean,
                           const Tensor& square, int64_t steps) {
  states_.at(id).adam.Restore(mean, square, steps);
  parameters_.at(id) = parameter;
}

void RelativeAdam::Step(const std::map<ValueId, Tensor>& gradients, double lr) {
  std::vector<ValueId> ids;
  for (const auto& [id, parameter] : parameters_) ids.push_back(id);
  ParallelFor(std::ssize(ids), [&](int64_t k) {
    const ValueId id = ids[static_cast<size_t>(k)];
    Move(states_.at(id), gradients.at(id), lr, parameters_.at(id));
  });
}

void RelativeAdam::Move(State& state, const Tensor& gradient, double lr, Tensor& parameter) {
  const int64_t columns = parameter.size() / std::ssize(state.scales);
  int64_t i = 0;
  for (const float slope : state.scales) {  // ∂w/∂d
    for (const int64_t end = i + columns; i < end; ++i) state.gradient[i] = gradient[i] * slope;
  }
  state.adam.Step(state.gradient, lr, state.scales, parameter,
                  state.keep.empty() ? nullptr : &state.keep);
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
