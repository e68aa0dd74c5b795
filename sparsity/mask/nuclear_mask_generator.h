// NuclearMaskGenerator: filters that carry the least of the layer's nuclear norm go.
#pragma once

#include <vector>

#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// Filters are ranked by the drop in the nuclear norm (sum of singular values) of the
/// O×(I·KH·KW) matrix when their row is removed, and of O filters exactly
/// O − ⌊(1−s)·O⌋ of the smallest go. Of equal drops the lower filter goes first.
class NuclearMaskGenerator : public MaskGenerator {
 public:
  std::string_view type() const override { return "NuclearMaskGenerator"; }
  Mask Generate(const Tensor& weight, double sparsity, const MaskContext& context) const override;
  double Achievable(const Shape& weight, double sparsity,
                    const MaskContext& context) const override;
};

/// ‖A‖_* − ‖A without row i‖_* for every row i of the row-major rows×columns matrix, to
/// about 1e-7 of the largest singular value. Costs one symmetric eigenvalue problem of
/// size min(rows, columns) for all rows together.
std::vector<double> NuclearNormDrops(const float* matrix, int64_t rows, int64_t columns);

}  // namespace sparsify
