// Mask generators decide which weights of one layer go, given how many.
#pragma once

#include <memory>
#include <string_view>

#include "sparsity/mask/mask.h"

namespace sparsify {

/// What a generator may look at besides the weight.
struct MaskContext {
  std::string_view layer_name;
  int64_t groups = 1;
  uint64_t seed = 0;         // the run's seed
  uint64_t layer_index = 0;  // gives each layer its own random stream
};

class MaskGenerator {
 public:
  virtual ~MaskGenerator() = default;
  /// The published type name, e.g. "NormalMaskGenerator".
  virtual std::string_view type() const = 0;
  /// Mask for a weight O×I×KH×KW or O×I at `sparsity` in [0, 1]. Deterministic.
  /// Exact counts and tie rules are each generator's contract. Throws on NaN.
  virtual Mask Generate(const Tensor& weight, double sparsity,
                        const MaskContext& context) const = 0;
  /// Sparsity this generator would reach when asked for `sparsity` on this shape
  /// (N:M always gives 1 − N/M, whatever is asked).
  virtual double Achievable(const Shape& weight, double sparsity,
                            const MaskContext& context) const = 0;
};

}  // namespace sparsify
