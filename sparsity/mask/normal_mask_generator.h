// NormalMaskGenerator: magnitude pruning, weight by weight or whole output filters.
#pragma once

#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/mask_options.h"

namespace sparsify {

/// Unstructured: of N weights exactly N − ⌊(1−s)·N⌋ of the smallest |w| go.
/// `structured`: of O filters exactly O − ⌊(1−s)·O⌋ of the smallest L1 (p1) or L2 (p2) norm.
/// `row_normalized` (unstructured): the metric is |w| / rms of the weight's output channel, so
/// that a batch norm folded into the channel does not decide.
/// Of equal metrics the lower index goes first.
class NormalMaskGenerator : public MaskGenerator {
 public:
  explicit NormalMaskGenerator(const NormalMaskOptions& options);

  std::string_view type() const override { return "NormalMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;

 private:
  NormalMaskOptions options_;
};

}  // namespace sparsify
