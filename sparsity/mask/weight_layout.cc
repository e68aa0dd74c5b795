#include "sparsity/mask/weight_layout.h"

#include "sparsity/base/error.h"
#include "sparsity/mask/selection.h"

namespace sparsify {

WeightLayout LayoutOf(const Shape& weight, std::string_view layer_name) {
  if (weight.rank() < 2) {
    Fail(layer_name, "weight has shape {}; a mask needs at least output and input channels",
         weight.ToString());
  }
  WeightLayout layout{weight[0], weight[1], 1};
  for (int d = 2; d < weight.rank(); ++d) layout.taps *= weight[d];
  return layout;
}

WeightLayout CheckedLayout(const Tensor& weight, double sparsity, const MaskContext& context) {
  if (!(sparsity >= 0 && sparsity <= 1)) {
    Fail(context.layer_name, "sparsity {} is outside 0 … 1; give a fraction, not percent",
         sparsity);
  }
  const WeightLayout layout = LayoutOf(weight.shape(), context.layer_name);
  const int64_t bad = FirstNonFinite(weight);
  if (bad >= 0) {
    Fail(context.layer_name, "weight of shape {} holds {} at flat index {}; repair the model first",
         weight.shape().ToString(), weight[bad], bad);
  }
  return layout;
}

Mask FilterMask(const Shape& weight, const std::vector<bool>& pruned) {
  Mask mask(weight);
  const int64_t filter = pruned.empty() ? 0 : mask.size() / static_cast<int64_t>(pruned.size());
  for (size_t o = 0; o < pruned.size(); ++o) {
    if (!pruned[o]) continue;
    const int64_t begin = static_cast<int64_t>(o) * filter;
    for (int64_t i = begin; i < begin + filter; ++i) mask.Set(i, false);
  }
  return mask;
}

double AchievableByFilters(const Shape& weight, double sparsity) {
  const int64_t filters = weight[0];
  if (filters == 0) return 0;
  return static_cast<double>(PruneCount(filters, sparsity)) / static_cast<double>(filters);
}

}  // namespace sparsify
