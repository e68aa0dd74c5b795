#include "sparsity/mask/fake_sparse.h"

#include <cmath>
#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {
namespace {

struct ChannelSums {
  double all = 0;           // Σ w
  double all_squares = 0;   // Σ w²
  double kept = 0;          // Σ m·w
  double kept_squares = 0;  // Σ m·w²
  int64_t count = 0;        // Σ m
};

ChannelSums SumChannel(const Mask& mask, const Tensor& weight, int64_t begin, int64_t end) {
  ChannelSums sums;
  for (int64_t i = begin; i < end; ++i) {
    const double w = weight[i];
    sums.all += w;
    sums.all_squares += w * w;
    if (!mask[i]) continue;
    sums.kept += w;
    sums.kept_squares += w * w;
    ++sums.count;
  }
  return sums;
}

double Variance(double sum, double squares, int64_t count) {
  const double mean = sum / static_cast<double>(count);
  return std::max(0.0, squares / static_cast<double>(count) - mean * mean);
}

}  // namespace

FakeSparse::FakeSparse(Tensor weight, std::shared_ptr<const MaskGenerator> generator,
                       double sparsity, const MaskContext& context,
                       const FakeSparseOptions& options)
    : weight_(std::move(weight)),
      mask_(weight_.shape()),
      generator_(std::move(generator)),
      sparsity_(sparsity),
      layer_name_(context.layer_name),
      context_(context),
      options_(options) {}

const Tensor& FakeSparse::Forward() {
  if (stale_ || !options_.mask_is_static) {
    context_.layer_name = layer_name_;
    mask_ = generator_->Generate(weight_, sparsity_, context_);
    stale_ = false;
  }
  if (options_.weight_correction && !corrected_) {
    CorrectKept(mask_, weight_);
    corrected_ = true;
  }
  sparse_ = weight_;
  ApplyMask(mask_, sparse_);
  return sparse_;
}

void FakeSparse::Backward(Tensor& gradient) const { ApplyMask(mask_, gradient); }

void FakeSparse::MaskUpdate(Tensor& update) const {
  if (options_.mask_is_static) ApplyMask(mask_, update);
}

void FakeSparse::SetSparsity(double sparsity) {
  sparsity_ = sparsity;
  stale_ = true;
}

void FakeSparse::Bake() { ApplyMask(mask_, weight_); }

void CorrectKept(const Mask& mask, Tensor& weight) {
  if (mask.shape() != weight.shape()) {
    Fail("mask", "shape {} does not fit the weight's {}", mask.shape().ToString(),
         weight.shape().ToString());
  }
  if (weight.empty()) return;
  const int64_t channels = weight.shape()[0];
  const int64_t length = weight.size() / channels;
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t begin = c * length;
    const int64_t end = begin + length;
    const ChannelSums sums = SumChannel(mask, weight, begin, end);
    if (sums.count == 0) continue;
    const double dense = Variance(sums.all, sums.all_squares, length);
    const double sparse = Variance(sums.kept, sums.kept_squares, length);
    const double scale = sparse > 0 ? std::sqrt(dense / sparse) : 1;
    const double shift = (sums.all - scale * sums.kept) / static_cast<double>(sums.count);
    for (int64_t i = begin; i < end; ++i) {
      if (mask[i]) weight[i] = static_cast<float>(scale * weight[i] + shift);
    }
  }
}

}  // namespace sparsify
