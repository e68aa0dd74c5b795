#include "reconstruction/weight_ranking.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "reconstruction/relative_adam.h"

namespace sparsify {
namespace {

// What |w| of each row is multiplied with; 1 for a row of zeros.
std::vector<float> RowFactors(const Tensor& weight, bool row_normalized) {
  const int64_t rows = weight.shape()[0];
  std::vector<float> factors(static_cast<size_t>(rows), 1.0F);
  if (!row_normalized) return factors;
  const std::vector<double> rms = RowRms(weight, rows);
  for (size_t row = 0; row < factors.size(); ++row) {
    if (rms[row] > 0) factors[row] = static_cast<float>(1 / rms[row]);
  }
  return factors;
}

}  // namespace

WeightRanking::WeightRanking(const Tensor& weight, bool row_normalized) : weight_(weight) {
  const std::vector<float> factors = RowFactors(weight, row_normalized);
  const int64_t columns = weight.size() / std::max<int64_t>(1, std::ssize(factors));
  keys_.reserve(static_cast<size_t>(weight.size()));
  for (int64_t i = 0; i < weight.size(); ++i) {
    const float score = std::abs(weight[i]) * factors[static_cast<size_t>(i / columns)];
    keys_.push_back(uint64_t{std::bit_cast<uint32_t>(score)} << 32 | static_cast<uint64_t>(i));
  }
  std::sort(keys_.begin(), keys_.end());  // floats that are not negative order like their bits
}

int64_t WeightRanking::Index(int64_t rank) const {
  return static_cast<int64_t>(keys_[static_cast<size_t>(rank)] & 0xFFFFFFFF);
}

double WeightRanking::Score(int64_t rank) const {
  return double{
      std::bit_cast<float>(static_cast<uint32_t>(keys_[static_cast<size_t>(rank)] >> 32))};
}

ThresholdWindow WeightRanking::Near(int64_t pruned, int64_t count) const {
  const int64_t below = std::clamp<int64_t>(pruned - 1, 0, size() - 1);
  const int64_t above = std::clamp<int64_t>(pruned, 0, size() - 1);
  ThresholdWindow window;
  window.threshold = (Score(below) + Score(above)) / 2;
  window.first = window.last = pruned;
  while (window.last - window.first < std::min(count, size())) {
    const bool is_low =
        window.last == size() || (window.first > 0 && window.threshold - Score(window.first - 1) <
                                                          Score(window.last) - window.threshold);
    const int64_t taken = is_low ? --window.first : window.last++;
    window.width = std::max(window.width, std::abs(Score(taken) - window.threshold));
  }
  return window;
}

double WeightRanking::SparsityGradient(const ThresholdWindow& window,
                                       const Tensor& gradient) const {
  double plain = 0;
  double weighted = 0;
  double kernels = 0;
  for (int64_t rank = window.first; rank < window.last; ++rank) {
    const int64_t i = Index(rank);
    const double u = window.width > 0 ? (Score(rank) - window.threshold) / window.width : 1;
    const double kernel = std::max(0.0, 1 - u * u);
    const double term = double{gradient[i]} * weight_[i];
    plain += term;
    weighted += kernel * term;
    kernels += kernel;
  }
  const auto n = static_cast<double>(size());
  if (kernels > 0) return -n * weighted / kernels;
  return window.last > window.first ? -n * plain / static_cast<double>(window.last - window.first)
                                    : 0;
}

}  // namespace sparsify
