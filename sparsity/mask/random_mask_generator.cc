#include "sparsity/mask/random_mask_generator.h"

#include "sparsity/base/random.h"
#include "sparsity/mask/selection.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {

// Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S).
Mask RandomMaskGenerator::Generate(const Tensor& weight, double sparsity,
                                   const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  Random random(context.seed, context.layer_index);
  Mask mask(weight.shape());
  int64_t needed = PruneCount(layout.size(), sparsity);
  for (int64_t i = 0; needed > 0; ++i) {
    if (random.Below(static_cast<uint64_t>(layout.size() - i)) < static_cast<uint64_t>(needed)) {
      mask.Set(i, false);
      --needed;
    }
  }
  return mask;
}

double RandomMaskGenerator::Achievable(const Shape& weight, double sparsity,
                                       const MaskContext& /*context*/) const {
  const int64_t count = weight.NumElements();
  if (count == 0) return 0;
  return static_cast<double>(PruneCount(count, sparsity)) / static_cast<double>(count);
}

}  // namespace sparsify
