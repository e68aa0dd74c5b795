#include "sparsity/ops/batch_moments.h"

#include <algorithm>
#include <cmath>

namespace sparsify {
namespace {

double InverseDeviation(const Node& node, double variance) {
  return 1 / std::sqrt(variance + node.attributes.Float("epsilon", 1e-5));
}

Tensor ToTensor(const std::vector<double>& values, double factor) {
  Tensor tensor(Shape{std::ssize(values)});
  for (int64_t i = 0; i < tensor.size(); ++i) {
    tensor[i] = static_cast<float>(values[static_cast<size_t>(i)] * factor);
  }
  return tensor;
}

// From the sums over the channel of grad_y and of grad_y · x̂: x̂ = (x − mean) · inverse,
// grad_x = scale · inverse · (grad_y − Σ grad_y / n − x̂ · Σ grad_y x̂ / n).
InputGradient GradientOfInput(double scale, double inverse, double mean, double count, double sum,
                              double dot) {
  InputGradient result;
  const double slope = scale * inverse;
  const double along = -slope * inverse * dot / count;
  result.slope = static_cast<float>(slope);
  result.along = static_cast<float>(along);
  result.center = static_cast<float>(mean);
  result.shift = static_cast<float>(along * (double{result.center} - mean) - slope * sum / count);
  return result;
}

}  // namespace

Tensor BatchMoments::Mean() const { return ToTensor(mean, 1); }

Tensor BatchMoments::UnbiasedVariance() const {
  const auto n = static_cast<double>(count);
  return ToTensor(variance, n / (n - 1));
}

ChannelLine NormaliseChannel(const Node& node, OpInputs inputs, int64_t c, double origin,
                             const PlaneSums& sums, BatchMoments& moments) {
  const auto count = static_cast<double>(moments.count);
  const double offset = sums.sum / count;
  const double mean = origin + offset;
  const double variance = std::max(0.0, sums.square / count - offset * offset);
  moments.mean[static_cast<size_t>(c)] = mean;
  moments.variance[static_cast<size_t>(c)] = variance;
  const double scale = (*inputs[1])[c] * InverseDeviation(node, variance);
  return {static_cast<float>(scale), static_cast<float>((*inputs[2])[c] - mean * scale)};
}

InputGradient DifferentiateChannel(const Node& node, OpInputs inputs, int64_t c,
                                   const BatchMoments& moments, const PlaneSums& sums,
                                   OpOutputs grad_inputs) {
  const double mean = moments.mean[static_cast<size_t>(c)];
  const double inverse = InverseDeviation(node, moments.variance[static_cast<size_t>(c)]);
  const double dot = (sums.square - sums.sum * mean) * inverse;
  if (grad_inputs[1] != nullptr) (*grad_inputs[1])[c] = static_cast<float>(dot);
  if (grad_inputs[2] != nullptr) (*grad_inputs[2])[c] = static_cast<float>(sums.sum);
  return GradientOfInput((*inputs[1])[c], inverse, mean, static_cast<double>(moments.count),
                         sums.sum, dot);
}

}  // namespace sparsify
