// Masks for a whole network: targets of an allocation in, one mask a layer and a record of
// what was asked and reached out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sparsity/allocation/allocation.h"
#include "sparsity/mask/mask_generator.h"

namespace sparsify {

/// What happened to one layer; sparsities are fractions.
struct PrunedLayer {
  std::string name;
  double requested = 0;
  double achievable = 0;     // by the generator on this shape
  double achieved = 0;       // pruned share of the mask
  int64_t already_zero = 0;  // weights the generator would keep, but that are zero
  std::string skipped;       // why the layer stays dense, or empty
};

struct PrunedNetwork {
  std::map<std::string, Mask> masks;  // by the weight's value name; none for skipped layers
  std::vector<PrunedLayer> layers;    // as the layers that were given
  NetworkSparsity requested;
  NetworkSparsity achieved;
};

/// Makes the mask of every layer that is not skipped, in parallel; the result does not
/// depend on the threads. A target of 0 leaves the layer unpruned whatever the generator's
/// pattern. Weights that are zero already are pruned in the mask too, so that masks and
/// zeros agree after BakeMasks; that, and a layer that loses every weight, is said.
PrunedNetwork PruneNetwork(const Graph& graph, const std::vector<Layer>& layers,
                           const std::vector<LayerTarget>& targets, const MaskGenerator& generator,
                           uint64_t seed);

/// W ← W ⊙ M for the parameter of this name, which is returned. Throws Error where there is none,
/// or one of another shape.
Tensor& BakeMask(Graph& graph, const std::string& name, const Mask& mask);

/// W ← W ⊙ M for every mask (by value name), which then leaves out kept weights that are
/// zero: the number of zeros of each weight is the number its mask prunes. Throws when a
/// name is no parameter of the graph or a shape differs.
void BakeMasks(Graph& graph, std::map<std::string, Mask>& masks);

}  // namespace sparsify
