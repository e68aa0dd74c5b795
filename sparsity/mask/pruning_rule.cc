#include "sparsity/mask/pruning_rule.h"

#include <utility>

#include "sparsity/base/error.h"

namespace sparsify {

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
  mask_ = std::move(mask);
  for (int64_t i = 0; i < keep_.size(); ++i) keep_[i] = mask_[i] ? 1.0F : 0.0F;
}

void TrainedWeight::ShowMasked() {
  for (int64_t i = 0; i < latent.size(); ++i) {
    effective[i] = keep_[i] != 0 ? latent[i] : 0.0F;
  }
}

void PruningRule::SetState(const std::map<std::string, Tensor>& state) {
  if (state.empty()) return;
  Fail(std::string(type()),
       "the state to continue from holds \"{}\", which this rule has no use for",
       state.begin()->first);
}

}  // namespace sparsify
