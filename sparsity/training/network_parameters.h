// The parameters of a network that training moves, pruned weights among them.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/mask/pruning_rule.h"

namespace sparsify {

struct TrainedParameter {
  ValueId id = kNoValue;
  std::string name;
  Tensor* value = nullptr;                // what the optimiser moves
  const TrainedWeight* weight = nullptr;  // if it is pruned
  bool decays = false;
};

class NetworkParameters {
 public:
  /// Weights and biases of `layers`, scale and bias of batch norm. `sparsity` holds a fraction a
  /// layer, or less than 0 for one that is not pruned; empty: none is. Keeps a reference to
  /// `graph`. Throws Error when there is not one for each layer.
  NetworkParameters(Graph& graph, const std::vector<Layer>& layers,
                    const std::vector<double>& sparsity, uint64_t seed);
  NetworkParameters(const NetworkParameters&) = delete;
  NetworkParameters& operator=(const NetworkParameters&) = delete;

  const std::vector<TrainedParameter>& all() const { return all_; }
  /// The pruned ones, in the order of the layers.
  std::span<TrainedWeight> weights() { return weights_; }
  std::span<const TrainedWeight> weights() const { return weights_; }
  ValueId IdOf(const std::string& name) const { return graph_.FindValue(name); }

  /// Ŵ of every pruned weight, in place of the graph's own.
  const std::map<ValueId, const Tensor*>& Overrides() const { return overrides_; }

  /// Every parameter of the graph by name; of a pruned weight the latent one.
  std::map<std::string, Tensor> Latent() const;
  std::map<std::string, Mask> Masks() const;
  /// Takes over what Latent gave; masks stay as they are. Throws Error naming what is missing, of
  /// another shape or not known here, and then changes nothing.
  void RestoreLatent(const std::map<std::string, Tensor>& latent);
  /// The same for what Masks gave.
  void RestoreMasks(const std::map<std::string, Mask>& masks);

  /// Puts Ŵ into the graph.
  void Bake();
  /// Pruned share of the pruned weights, by their masks.
  double Sparsity() const;

 private:
  Graph& graph_;
  std::vector<TrainedWeight> weights_;
  std::vector<TrainedParameter> all_;
  std::map<ValueId, const Tensor*> overrides_;
};

}  // namespace sparsify
