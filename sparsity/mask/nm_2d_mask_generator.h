// NM2DMaskGenerator: 2:4 along the input channels and along the output channels at once.
#pragma once

#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/mask_options.h"

namespace sparsify {

/// The O×I plane of each tap (kh, kw) is cut into tiles of 4×4 from its first corner, and at most
/// 2 weights stay in every row and column of a tile: the weight and its transpose are both 2:4
/// (Hubara et al., "Accelerated Sparse Neural Training", 2021). Tiles never cross two groups of a
/// grouped convolution. `search` says which stay:
///   best    of all arrangements with exactly 2 a row and a column (90 in a full tile) the one that
///           keeps the largest sum of |w|; of equal sums the one that keeps later weights.
///   greedy  by descending |w|, later weights first among equals, while row and column have room.
///           It may end with a weight less than it could, as no weight is taken back.
/// A tile at the far edges has r <= 4 rows and c <= 4 columns: there the arrangements are those
/// that keep as many as at most 2 a row and a column allow, min(r·min(2, c), c·min(2, r)).
/// The requested sparsity is not used: the pattern fixes it.
class NM2DMaskGenerator : public MaskGenerator {
 public:
  /// Throws a usage Error when search is neither greedy nor best.
  explicit NM2DMaskGenerator(const NM2DMaskOptions& options);

  std::string_view type() const override { return "NM2DMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  /// Exact for best; greedy reaches it or a little more.
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;

 private:
  bool best_ = true;
};

}  // namespace sparsify
