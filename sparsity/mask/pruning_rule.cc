#include "sparsity/mask/pruning_rule.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

// to = from where `keep` is not 0, and +0 elsewhere; `to` may be `from`.
void Masked(const Tensor& keep, const Tensor& from, Tensor& to) {
  constexpr int64_t kChunk = 1 << 14;  // elements that a thread takes at once
  ParallelFor((keep.size() + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const int64_t at = chunk * kChunk;
    const int64_t count = std::min(keep.size() - at, kChunk);
    const float* k = keep.data() + at;
    const float* x = from.data() + at;
    float* y = to.data() + at;
    for (int64_t i = 0; i < count; ++i) {
      const float value = x[i];  // read in any case: a read on a condition is not vectorised
      y[i] = k[i] != 0 ? value : 0.0F;
    }
  });
}

}  // namespace

TrainedWeight::TrainedWeight(std::string name, Tensor weight, double sparsity,
                             const MaskContext& context)
    : latent(std::move(weight)),
      effective(latent),
      name_(std::move(name)),
      sparsity_(sparsity),
      context_(context),
      mask_(latent.shape()),
      keep_(latent.shape()) {
  keep_.Fill(1);
}

MaskContext TrainedWeight::context() const {
  MaskContext context = context_;
  context.layer_name = name_;
  return context;
}

void TrainedWeight::SetMask(Mask mask) {
  if (mask.shape() != latent.shape()) {
    Fail(name_, "a mask of shape {} for a weight of shape {}", mask.shape().ToString(),
         latent.shape().ToString());
  }
  if (mask == mask_) return;
  mask_ = std::move(mask);
  const std::vector<uint8_t>& bytes = mask_.bytes();
  for (int64_t i = 0; i < keep_.size(); ++i) {
    keep_[i] = static_cast<float>((bytes[static_cast<size_t>(i / 8)] >> (i % 8)) & 1);
  }
}

void TrainedWeight::ShowMasked() { Masked(keep_, latent, effective); }

void TrainedWeight::MaskGradient(Tensor& gradient) const {
  if (gradient.shape() != latent.shape()) {
    Fail(name_, "a gradient of shape {} for a weight of shape {}", gradient.shape().ToString(),
         latent.shape().ToString());
  }
  Masked(keep_, gradient, gradient);
}

void PruningRule::SetState(const std::map<std::string, Tensor>& state) {
  if (state.empty()) return;
  Fail(std::string(type()),
       "the state to continue from holds \"{}\", which this rule has no use for",
       state.begin()->first);
}

}  // namespace sparsify
