// Gives every output channel of a pruned layer the mean and the variance that it has in the dense
// network: what re-estimating the batch norm behind the layer does, folded into weight and bias.
//
// Matching the means through the bias is the bias correction of Nagel, van Baalen, Blankevoort &
// Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019,
// §4.2, here with measured means; re-tuning both moments of the batch norms after compression is
// in Hubara, Nahshan, Hanani, Banner & Soudry, "Accurate Post Training Quantization With Small
// Calibration Sets", ICML 2021, §3.
#pragma once

#include "reconstruction/second_order/layer_problem.h"

namespace sparsify {

struct CorrectionOptions {
  /// The factor of a row is brought into this range: a row that lost nearly all its signal would
  /// otherwise turn the rest into noise.
  double min_scale = 0.25;
  double max_scale = 4;
};

struct CorrectionCounts {
  int64_t limited = 0;  // rows whose factor met the range's end
  int64_t flat = 0;     // rows left alone because their output, or the teacher's, is constant
};

/// For each row w of `layer.weight`, with the moments of the layer's inputs x in the sparse network
/// and of the teacher's outputs y: w ← w·√(Var(y) / w·Cov(x)·wᵀ), then b = ȳ − w·x̄. Sets
/// `layer.weight`, `layer.bias` and `layer.loss`; zeros stay zero. A row is flat when its variance
/// is below rounding, 1e-10 · (Σ|wᵢ|σᵢ)², or Var(y) = 0; its mean is matched all the same.
CorrectionCounts CorrectStatistics(const LayerStatistics& statistics,
                                   const CorrectionOptions& options, LayerSolution& layer);

/// The layer as it is given, mask and weights, with its statistics corrected. Throws Error naming
/// the layer on shapes that differ, a NaN, or no samples.
LayerSolution CorrectGiven(const LayerStatistics& statistics, const Tensor& weight,
                           const Mask& mask, const CorrectionOptions& options,
                           CorrectionCounts& counts);

}  // namespace sparsify
