// Exact Optimal Brain Surgeon for layers: Optimal Brain Compression (Frantar & Alistarh,
// "Optimal Brain Compression: A Framework for Accurate Post-Training Quantization and Pruning",
// NeurIPS 2022, algorithms 1 and 2).
//
// Each row starts from its dense optimum H⁻¹t and loses one weight (or block) at a time, the
// one whose removal raises the loss least, the rest being corrected exactly. The traces of all
// rows then share the sparsity out: the cheapest next removal of any row goes first. The final
// weights are the least-squares solution on the mask found, which is what the corrections
// reach. Cost: ⅓ · rows · columns³ operations (rows/block_outputs for blocks), and columns²
// doubles for each worker; both are bounded by the options.
#pragma once

#include <string>
#include <vector>

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/least_squares.h"
#include "reconstruction/second_order/obs_row.h"

namespace sparsify {

struct ObsOptions {
  double sparsity = 0.5;
  PrunePattern pattern;
  double damping = 0.01;
  /// Measures the losses of a row by the variance of its target, so that rows which batch-norm
  /// folding made small count as much as others.
  bool scale_rows = false;
  /// Refuses a layer of more operations, and runs fewer threads than would need more memory.
  double max_operations = 1e14;
  int64_t max_bytes = int64_t{1} << 30;
};

/// The traces of a layer: one computation serves every sparsity.
struct ObsTraces {
  PrunePattern pattern;
  std::vector<ColumnSet> sets;
  std::vector<ObsTrace> bands;  // rows of group 0 first; block_outputs rows to a band
  std::vector<double> weight;   // of a band's costs: 1, or 1/variance with scale_rows
  double damping = 0;
  int damping_raises = 0;
};

/// Why the bounds of the options rule exact OBS out for this layer, or empty.
std::string ObsObstacle(const LayerStatistics& statistics, const ObsOptions& options);

/// Throws Error naming the layer on bad input and when a bound of the options is exceeded.
ObsTraces TraceObs(const LayerStatistics& statistics, const Tensor& weight,
                   const ObsOptions& options);

/// Of all units of the layer PruneCount(units, sparsity) go, in the order of the traces'
/// weighted costs (N:M: all of the traces).
LayerSolution PruneByTraces(const LayerStatistics& statistics, const Tensor& weight,
                            const ObsTraces& traces, double sparsity);

/// Both in one.
LayerSolution PruneObs(const LayerStatistics& statistics, const Tensor& weight,
                       const ObsOptions& options = {});

}  // namespace sparsify
