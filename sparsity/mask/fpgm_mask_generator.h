// FPGMMaskGenerator: filters that the other filters can replace go (geometric median).
#pragma once

#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/mask_options.h"

namespace sparsify {

/// Filters are ranked by their mean distance to the other filters of the layer, and of O
/// filters exactly O − ⌊(1−s)·O⌋ of the smallest go (He et al., "Filter Pruning via
/// Geometric Median", CVPR 2019). Distances: l1, l2, or cos = 1 − cosine similarity, where
/// a filter of zeros is at distance 0 from all. Of equal means the lower filter goes first.
/// Time O(O²·I·KH·KW).
class FpgmMaskGenerator : public MaskGenerator {
 public:
  explicit FpgmMaskGenerator(const FpgmMaskOptions& options);

  std::string_view type() const override { return "FPGMMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;

 private:
  FpgmMaskOptions options_;
};

}  // namespace sparsify
