#include "sparsity/ops/batch_moments.h"

#include <algorithm>
#include <cmath>

#include "sparsity/ops/node_check.h"

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

// Σ grad_y · x̂ from Σ grad_y and Σ grad_y · x.
double Dot(const Node& node, int64_t c, const BatchMoments& moments, const PlaneSums& sums) {
  const double inverse = InverseDeviation(node, moments.variance[static_cast<size_t>(c)]);
  return (sums.square - sums.sum * moments.mean[static_cast<size_t>(c)]) * inverse;
}

// Moments about 0: what they lose against those about the mean is far below what the values, which
// are floats, leave open.
void AddUpMoments(const BatchShare& share, std::span<float> origins, std::span<PlaneSums> sums,
                  BatchMoments& moments) {
  const auto count = static_cast<double>(moments.count);
  std::vector<double> all = {share.is_empty ? 0 : count};
  for (size_t c = 0; c < sums.size(); ++c) {
    const double origin = origins[c];
    all.push_back(sums[c].sum + count * origin);
    all.push_back(sums[c].square + origin * (2 * sums[c].sum + count * origin));
  }
  if (share.is_empty) std::fill(all.begin(), all.end(), 0.0);
  share.ranks->AllReduceSum(all);
  moments.count = static_cast<int64_t>(all[0]);
  for (size_t c = 0; c < sums.size(); ++c) {
    origins[c] = 0;
    sums[c] = {all[1 + 2 * c], all[2 + 2 * c]};
  }
}

}  // namespace

Tensor BatchMoments::Mean() const { return ToTensor(mean, 1); }

Tensor BatchMoments::UnbiasedVariance() const {
  const auto n = static_cast<double>(count);
  return ToTensor(variance, n / (n - 1));
}

void JoinMoments(const Node& node, OpInputs inputs, const BatchShare& share,
                 std::span<float> origins, std::span<PlaneSums> sums, BatchMoments& moments) {
  if (!share.IsWhole()) AddUpMoments(share, origins, sums, moments);
  if (moments.count >= 2) return;
  FailNode(node,
           "input {} has one value a channel, of which training takes no variance; use a larger "
           "batch",
           inputs[0]->shape().ToString());
}

void JoinSums(const BatchShare& share, std::span<PlaneSums> sums) {
  if (share.IsWhole()) return;
  std::vector<double> all;
  for (const PlaneSums& of_channel : sums) {
    all.push_back(of_channel.sum);
    all.push_back(of_channel.square);
  }
  if (share.is_empty) std::fill(all.begin(), all.end(), 0.0);
  share.ranks->AllReduceSum(all);
  for (size_t c = 0; c < sums.size(); ++c) sums[c] = {all[2 * c], all[2 * c + 1]};
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

void DifferentiateScale(const Node& node, int64_t c, const BatchMoments& moments,
                        const PlaneSums& sums, OpOutputs grad_inputs) {
  if (grad_inputs[1] != nullptr) {
    (*grad_inputs[1])[c] = static_cast<float>(Dot(node, c, moments, sums));
  }
  if (grad_inputs[2] != nullptr) (*grad_inputs[2])[c] = static_cast<float>(sums.sum);
}

InputGradient DifferentiateInput(const Node& node, OpInputs inputs, int64_t c,
                                 const BatchMoments& moments, const PlaneSums& sums) {
  const double mean = moments.mean[static_cast<size_t>(c)];
  const double inverse = InverseDeviation(node, moments.variance[static_cast<size_t>(c)]);
  return GradientOfInput((*inputs[1])[c], inverse, mean, static_cast<double>(moments.count),
                         sums.sum, Dot(node, c, moments, sums));
}

}  // namespace sparsify
