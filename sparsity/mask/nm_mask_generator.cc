#include "sparsity/mask/nm_mask_generator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/mask/weight_layout.h"

namespace sparsify {

NMMaskGenerator::NMMaskGenerator(const NMMaskOptions& options) : options_(options) {
  if (options_.n < 1 || options_.m < 2 || options_.n > options_.m) {
    FailUsage("mask_generator.kwargs",
              "n = {} of m = {} is no N:M pattern; need 1 <= n <= m, m >= 2", options_.n,
              options_.m);
  }
}

Mask NMMaskGenerator::Generate(const Tensor& weight, double sparsity,
                               const MaskContext& context) const {
  const WeightLayout layout = CheckedLayout(weight, sparsity, context);
  Mask mask(weight.shape());
  std::vector<std::pair<float, int64_t>> group;  // magnitude, flat index
  for (int64_t o = 0; o < layout.outputs; ++o) {
    for (int64_t first = 0; first < layout.inputs; first += options_.m) {
      const int64_t end = std::min(first + options_.m, layout.inputs);
      const int64_t prune = end - first - options_.n;
      if (prune <= 0) continue;
      for (int64_t k = 0; k < layout.taps; ++k) {
        group.clear();
        for (int64_t i = first; i < end; ++i) {
          const int64_t at = layout.Index(o, i, k);
          group.emplace_back(std::abs(weight[at]), at);
        }
        std::nth_element(group.begin(), group.begin() + prune, group.end());
        for (int64_t p = 0; p < prune; ++p) mask.Set(group[static_cast<size_t>(p)].second, false);
      }
    }
  }
  return mask;
}

double NMMaskGenerator::Achievable(const Shape& weight, double /*sparsity*/,
                                   const MaskContext& context) const {
  const int64_t inputs = LayoutOf(weight, context.layer_name).inputs;
  if (inputs == 0) return 0;
  const int64_t last = std::max<int64_t>(0, inputs % options_.m - options_.n);
  const int64_t pruned = inputs / options_.m * (options_.m - options_.n) + last;
  return static_cast<double>(pruned) / static_cast<double>(inputs);
}

}  // namespace sparsify
