// How generators see a weight: O output channels × I input channels (of a group) × K taps.
#pragma once

#include <cstdint>
#include <string_view>

#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// Element (o, i, k) lies at (o·I + i)·K + k. A fully connected O×I has K = 1.
struct WeightLayout {
  int64_t outputs = 0;
  int64_t inputs = 0;
  int64_t taps = 1;

  int64_t Index(int64_t o, int64_t i, int64_t k) const { return (o * inputs + i) * taps + k; }
  int64_t FilterSize() const { return inputs * taps; }
  int64_t size() const { return outputs * inputs * taps; }
};

/// Throws when the shape has fewer than two dimensions.
WeightLayout LayoutOf(const Shape& weight, std::string_view layer_name);

/// What every generator checks first: sparsity in [0, 1], rank of at least 2, no NaN or
/// infinity. Throws an Error that names the layer.
WeightLayout CheckedLayout(const Tensor& weight, double sparsity, const MaskContext& context);

/// Prunes every filter o with pruned[o].
Mask FilterMask(const Shape& weight, const std::vector<bool>& pruned);

/// Share of whole filters that PruneCount takes; every filter-wise generator's Achievable.
double AchievableByFilters(const Shape& weight, double sparsity);

}  // namespace sparsify
