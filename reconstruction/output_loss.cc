#include "reconstruction/output_loss.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

double LogSumExp(std::span<const float> logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - max);
  return max + std::log(sum);
}

double Divergence(std::span<const float> dense, std::span<const float> changed) {
  const double dense_sum = LogSumExp(dense);
  const double changed_sum = LogSumExp(changed);
  double divergence = 0;
  for (size_t k = 0; k < dense.size(); ++k) {
    const double log_p = dense[k] - dense_sum;
    const double log_q = changed[k] - changed_sum;
    divergence += std::exp(log_p) * (log_p - log_q);
  }
  return std::isfinite(divergence) ? std::max(0.0, divergence) : divergence;
}

}  // namespace

void OutputLoss::Add(const Tensor& dense, const Tensor& changed) {
  const int64_t count = dense.shape().rank() > 0 ? dense.shape()[0] : 0;
  if (count < 1 || changed.size() != dense.size() || changed.shape()[0] != count) {
    Fail("loss", "outputs of shape {} against {}", changed.shape().ToString(),
         dense.shape().ToString());
  }
  const auto classes = static_cast<size_t>(dense.size() / count);
  dense_sum_.resize(classes);
  dense_square_.resize(classes);
  for (int64_t i = 0; i < count; ++i) {
    const std::span a(dense.data() + static_cast<size_t>(i) * classes, classes);
    const std::span b(changed.data() + static_cast<size_t>(i) * classes, classes);
    if (kind_ == OutputLossKind::kKl) {
      sum_ += Divergence(a, b);
      continue;
    }
    for (size_t k = 0; k < classes; ++k) {
      const double difference = static_cast<double>(b[k]) - a[k];
      sum_ += difference * difference;
      dense_sum_[k] += a[k];
      dense_square_[k] += static_cast<double>(a[k]) * a[k];
    }
  }
  images_ += count;
}

double OutputLoss::Value() const {
  if (images_ == 0) return 0;
  const auto n = static_cast<double>(images_);
  if (kind_ == OutputLossKind::kKl) return sum_ / n;
  double spread = 0;
  for (size_t k = 0; k < dense_sum_.size(); ++k) {
    spread += std::max(0.0, dense_square_[k] - dense_sum_[k] * dense_sum_[k] / n);
  }
  return sum_ == 0 ? 0 : sum_ / spread;
}

}  // namespace sparsify
