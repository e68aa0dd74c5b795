// Runs a network from one layer on with other weights in that layer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "reconstruction/network_suffix.h"
#include "sparsity/graph/graph.h"
#include "sparsity/graph/layers.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Computes a network's output from its inputs (batches of the same images, at most as many as
/// the batch it was made for).
using NetworkFunction =
    std::function<void(const std::vector<const Tensor*>& inputs, Tensor& output)>;
/// Makes a network ready to run. The graph outlives the function that is returned.
using NetworkMaker = std::function<NetworkFunction(const Graph& graph, int64_t batch)>;

/// Activations of one batch, by the whole network's ids.
using CutValues = std::map<ValueId, Tensor>;

/// Whether the layer's weight feeds several nodes.
bool IsShared(const Graph& graph, const Layer& layer);

/// The layer's bias where it is a parameter, else null.
const Tensor* ParameterBias(const Graph& graph, const Layer& layer);

/// The layer's output with this weight and bias; null: without, or the one computed in `cut`.
Tensor RunLayer(const Graph& graph, const Layer& layer, const CutValues& cut, const Tensor& weight,
                const Tensor* bias);

class LayerRunner {
 public:
  /// Keeps references to `graph` and `layer`. The network behind the layer is made once by
  /// `make_network` (empty, or without layers: node by node). A weight that feeds several nodes
  /// is changed inside that network, which then runs node by node and begins at the layer.
  LayerRunner(const Graph& graph, const Layer& layer, ValueId output, int64_t batch,
              const NetworkMaker& make_network);

  /// Activations made before the layer that Run needs.
  const std::vector<ValueId>& reads() const { return reads_; }

  /// `output` with this weight and bias (null: without, or computed). `cut` holds reads(); the
  /// layer's own output is added to it. A shared weight's layer keeps its own bias.
  void Run(CutValues& cut, const Tensor& weight, const Tensor* bias, Tensor& output);

 private:
  const Graph& graph_;
  const Layer& layer_;
  const bool includes_layer_;
  NetworkSuffix suffix_;
  NetworkFunction run_;  // empty: the layer's output is all there is
  std::vector<ValueId> reads_;
};

}  // namespace sparsify
