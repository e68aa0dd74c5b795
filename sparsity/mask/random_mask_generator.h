// RandomMaskGenerator: a uniform choice, the control that every other generator must beat.
#pragma once

#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// Of N weights exactly N − ⌊(1−s)·N⌋ go, every subset equally likely. The choice depends
/// on the run's seed, the layer's index and the shape's size only, not on the values.
class RandomMaskGenerator : public MaskGenerator {
 public:
  std::string_view type() const override { return "RandomMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;
};

}  // namespace sparsify
