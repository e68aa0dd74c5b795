// The weights of a layer by score, and the bridge from a layer's sparsity to its threshold: how a
// loss changes with the sparsity, given its gradient for the masked weights.
//
// A layer of n weights with scores x prunes at sparsity s those up to the threshold t, its
// s-quantile. With the smooth step S of width h, mᵢ = S((xᵢ − t)/h), in place of the mask,
//   dL/ds = Σᵢ ∂L/∂mᵢ · dmᵢ/dt · dt/ds,  ∂L/∂mᵢ = wᵢ·∂L/∂ŵᵢ,  dmᵢ/dt = −k((xᵢ − t)/h)/h,
//   dt/ds = 1/p(t),  p(t) = Σᵢ k((xᵢ − t)/h)/(n·h),  k = S' = ¾(1 − u²) within |u| < 1
// (Gong et al., "Fast and Controllable Post-training Sparsity", AAAI 2024). The density is
// estimated with the step's own kernel, so that h cancels and Σ dmᵢ/ds is exactly −n:
//   dL/ds = −n · Σ k wᵢ ∂L/∂ŵᵢ / Σ k.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// A threshold and the weights near it.
struct ThresholdWindow {
  double threshold = 0;
  double width = 0;   // h, at least the distance of every weight in the window
  int64_t first = 0;  // ranks [first, last)
  int64_t last = 0;
};

class WeightRanking {
 public:
  /// |w|, or |w| / rms of the weight's row with `row_normalized`: the scores and the order of
  /// NormalMaskGenerator, lower index first where they are equal. The weights are finite, fewer
  /// than 2³², and kept by reference; takes eight bytes a weight.
  WeightRanking(const Tensor& weight, bool row_normalized);

  int64_t size() const { return weight_.size(); }
  /// The flat index and the score of the weight of a rank, from 0, the smallest.
  int64_t Index(int64_t rank) const;
  double Score(int64_t rank) const;

  /// The threshold that prunes `pruned` weights, midway between two scores, with the `count` (all,
  /// if there are fewer) weights nearest to it; h is the distance of the farthest.
  ThresholdWindow Near(int64_t pruned, int64_t count) const;

  /// dL/ds from the gradient for the masked weights. Where every weight of the window is as far
  /// from the threshold all count alike.
  double SparsityGradient(const ThresholdWindow& window, const Tensor& gradient) const;

 private:
  const Tensor& weight_;
  std::vector<uint64_t> keys_;  // the score's bits above the index, ascending
};

}  // namespace sparsify
