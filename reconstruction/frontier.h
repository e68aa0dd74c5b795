// The activations of one network for every calibration image, at a cut that moves forward.
//
// Repair walks through a network layer by layer. What lies before the walk is final, so it is
// enough to keep, for each batch of images, the activations that cross one cut of the node
// order, and to compute from there. A cut that needs little memory may stay behind the walk:
// nodes between the two are then computed again at the next step.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "reconstruction/tensor_pool.h"
#include "sparsity/graph/graph.h"
#include "sparsity/ops/run_node.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

class Frontier {
 public:
  /// Nothing is kept at first: every batch stands before node 0, at the images. Keeps a
  /// reference; weights of nodes behind the cut may change and parameters may be added, the
  /// nodes stay. `batch` is the batch size that per-image sizes are found with. Memory is taken
  /// from `pool`, which several frontiers may share; null: one of its own. Throws Error unless
  /// the sorted graph has one input.
  Frontier(const Graph& graph, int64_t batches, int64_t batch, TensorPool* pool = nullptr);
  Frontier(const Frontier&) = delete;
  Frontier& operator=(const Frontier&) = delete;

  /// Bytes an image of the activations that are made before `cut` and read at or after it (a
  /// node index). The images themselves do not count: they are given at each step.
  int64_t BytesPerImage(int cut) const { return bytes_.at(static_cast<size_t>(cut)); }

  /// Whether some node in [begin, end) reads the network's input.
  bool ReadsImages(int begin, int end) const;

  /// Computes batch `k` from its cut up to node `end` (not included), moves its cut to `keep`
  /// (at most `end`, not before the present cut) and returns the activation `wanted`, valid
  /// until the next call. `images` may be null where ReadsImages(cut, end) is false and
  /// `wanted` is not the input. Throws Error naming the node that fails.
  const Tensor& Advance(int64_t k, const Tensor* images, int keep, int end, ValueId wanted);

 private:
  struct Kept {
    int cut = 0;
    std::map<ValueId, Tensor> values;
  };

  void Load(const Kept& kept, const Tensor* images);
  void MoveCut(Kept& kept, int cut);
  void FreeAfter(int node, ValueId wanted);

  const Graph& graph_;
  TensorPool own_pool_;
  TensorPool& pool_;
  ValueId input_ = kNoValue;
  std::vector<int> last_reader_;  // by ValueId, −1: nothing reads it
  std::vector<int64_t> bytes_;    // by cut
  std::vector<Kept> kept_;        // by batch
  PassValues values_;             // of this step
};

}  // namespace sparsify
