// What every way of allocating is given, and the layers' weights as it sees them.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/allocation/allocation.h"

namespace sparsify {

/// One network sparsity to be spread over the selected layers. All answers are fractions
/// in the order of `selected`.
struct AllocationProblem {
  const Graph& graph;
  const std::vector<Layer>& layers;
  std::vector<int> selected;  // indices into layers, ascending
  double sparsity = 0;        // fraction
  AllocationOptions options;

  const Layer& layer(size_t i) const { return layers[static_cast<size_t>(selected[i])]; }
  const Tensor& weight(size_t i) const { return graph.value(layer(i).weight).data; }
  /// Σnᵢ over the selected layers.
  int64_t TotalWeights() const;
  /// The most weights of layer i that max_layer_sparsity lets go.
  int64_t MostPruned(size_t i) const;
};

/// Throws when max_layer_sparsity leaves too few weights to reach the sparsity.
void CheckCapReaches(const AllocationProblem& problem);

/// Throws on a NaN or infinity in a selected weight, naming the layer.
void CheckWeightsFinite(const AllocationProblem& problem);

}  // namespace sparsify
