// NMMaskGenerator: semi-structured N:M sparsity along the input channels.
#pragma once

#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/mask_options.h"

namespace sparsify {

/// Keeps the N largest |w| of every M consecutive input channels at each fixed (o, kh, kw);
/// of equal magnitudes the lower channel goes first. A last group of r < M channels is
/// padded virtually with weights that go first, so it keeps min(N, r). The input channels of
/// a grouped convolution's weight are those of one group, so no N:M group crosses two of
/// them. The requested sparsity is not used: the pattern fixes it.
class NMMaskGenerator : public MaskGenerator {
 public:
  explicit NMMaskGenerator(const NMMaskOptions& options);

  std::string_view type() const override { return "NMMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;

 private:
  NMMaskOptions options_;
};

}  // namespace sparsify
