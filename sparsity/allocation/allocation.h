// Allocation: how much of each layer goes, so that the network reaches one sparsity.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

/// The `allocation:` section of `sparsity:` (ours; the published blocks have none and mean
/// Uniform).
struct AllocationOptions {
  std::string type =
      "Uniform";  // Uniform, ERK, Magnitude, L1Normalized, L2Normalized, level, table
  double erk_power = 1.0;
  double max_layer_sparsity = 1.0;  // cap a layer; the excess is redistributed
  double tuning = 0.5;              // level: stride-group decay (prun_algo_tuning)
  double tolerance = 0.015;         // level: sparse_rate_tolerance
  std::string table_file;           // table: CSV "layer,sparsity" in percent

  void VisitFields(OptionVisitor& v);
};

/// Which layers may be pruned at all.
struct LayerSelectionOptions {
  std::string no_prune_keyword;  // comma list, substring of the layer name
  std::string no_prune_layer;    // comma list, exact names; unknown names are an error
  bool dw_no_prune = false;      // depthwise stays dense

  void VisitFields(OptionVisitor& v);
};

/// The plan for one network sparsity.
struct LayerTarget {
  double sparsity = 0;  // fraction
  std::string skipped;  // reason the layer stays dense, or empty
};

/// Reason for every layer that must stay dense, empty for the others; indexed as `layers`.
/// Throws Error for unknown names in no_prune_layer (with the nearest known one).
std::vector<std::string> SelectLayers(const std::vector<Layer>& layers,
                                      const LayerSelectionOptions& options);

/// Per-layer targets so that Σnᵢsᵢ/Σnᵢ over the *selected* layers is `sparsity`
/// (fraction). Throws when caps make it unreachable. `input_shape` C×H×W is for `level`.
std::vector<LayerTarget> Allocate(const Graph& graph, const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, double sparsity,
                                  const AllocationOptions& options);

}  // namespace sparsify
