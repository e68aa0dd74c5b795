// Units: the parts of a network that reconstruction repairs one after the other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sparsity/graph/layers.h"
#include "sparsity/ops/graph_pass.h"

namespace sparsify {

enum class UnitPattern {
  /// One layer with the element-wise operators that follow it, up to the next layer, Add, Mul
  /// of two activations, or Concat.
  kLayer,
  /// A region between a fork and its join (residual block, fire module with the layer that feeds
  /// it) with the element-wise operators that follow, or up to three chained layers where
  /// nothing forks; a chain also ends behind a layer without activation (linear bottleneck).
  /// A squeeze-and-excite gate belongs to the chain that it scales.
  kBlock,
  /// One layer alone.
  kIndependent,
  /// The whole network.
  kNetwork,
};

/// "layer", "block", "independent", "network".
std::string_view UnitPatternName(UnitPattern pattern);
/// The pattern with this name; a usage Error that begins with `where` when there is none.
UnitPattern UnitPatternFromName(std::string_view where, std::string_view name);

struct Unit {
  std::string name;              // of its first layer, or "first … last" for several
  std::vector<int> nodes;        // ascending indices into graph.nodes()
  std::vector<ValueId> inputs;   // activations that it reads and does not make
  std::vector<ValueId> outputs;  // activations that it makes and others (or nobody else) read
  std::vector<int> layers;       // indices into the layer list, ascending; never empty
};

/// Units in topological order, each node in at most one. Every layer is in exactly one. With
/// kBlock and kNetwork every node is in one; otherwise nodes between units belong to none.
/// `graph` is sorted, `layers` is FindLayers(graph, …). Throws Error when there is no layer.
std::vector<Unit> FindUnits(const Graph& graph, const std::vector<Layer>& layers,
                            UnitPattern pattern);

/// Forward and backward passes over the unit's nodes. `graph` must outlive them.
GraphPass PassOver(const Graph& graph, const Unit& unit);

/// One line a unit: number, name, layers, nodes, inputs → outputs. For `inspect --units`.
std::string DescribeUnits(const Graph& graph, const std::vector<Layer>& layers,
                          const std::vector<Unit>& units);

}  // namespace sparsify
