// One layer at several sparsities: its masks, its weights under them, and the losses to come.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "reconstruction/output_loss.h"
#include "reconstruction/second_order/statistics.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

struct Trial {
  double sparsity = 0;  // that the mask reaches
  Mask mask;
  Tensor weight;
  std::optional<Tensor> bias;  // none: the layer's own
  OutputLoss loss;
};

/// Masked weights at each of `levels` (fractions, increasing). A level at which the generator
/// prunes no more than at the one before is left out. As in a run, weights that are zero
/// already are pruned in the mask too, but do not count in `sparsity`.
std::vector<Trial> MakeTrials(const Tensor& weight, const MaskContext& context,
                              const MaskGenerator& generator, const std::vector<double>& levels,
                              OutputLossKind loss);

/// Replaces the weights by the least-squares ones on each trial's mask, which come with a bias.
/// A curve needs no exact weights: the tolerance is looser than repair's, which saves most
/// iterations. With `search` a trial's damping is searched from the one before, where the
/// statistics hold images back (SearchDamping). Polls for Ctrl-C.
void SolveTrials(const LayerStatistics& statistics, const Tensor& weight, double damping,
                 bool search, std::vector<Trial>& trials);

}  // namespace sparsify
