// BlockMaskGenerator: blocks of output channels × input channels go together.
#pragma once

#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/mask_options.h"

namespace sparsify {

/// The O×I plane of each tap (kh, kw) is cut into blocks of bo×bi from its first corner;
/// blocks at the far edges are smaller, and blocks never cross two groups of a grouped
/// convolution. Of B blocks in the layer exactly B − ⌊(1−s)·B⌋ of the smallest sum of
/// squares go, small edge blocks counting as one block each; so the share of weights
/// equals the share of blocks where bo and bi divide the layer. Of equal sums the block
/// with the lower (output, input, tap) goes first.
class BlockMaskGenerator : public MaskGenerator {
 public:
  explicit BlockMaskGenerator(const BlockMaskOptions& options);

  std::string_view type() const override { return "BlockMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  /// The share of blocks.
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;

 private:
  BlockMaskOptions options_;
};

}  // namespace sparsify
