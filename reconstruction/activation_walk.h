// The walk of one network over all calibration images: computes the activations that are asked
// for, each node once, and keeps what later nodes still need.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reconstruction/activation_store.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

class ActivationWalk {
 public:
  struct Settings {
    int64_t chunk = 16;             // images a forward pass
    std::string scratch_directory;  // ScratchFile's
  };

  /// Keeps references. `images` holds the network's input; several walks may share it. `graph` is
  /// sorted and has one input; its nodes stay, the weights of nodes not yet computed may change.
  ActivationWalk(const Graph& graph, std::shared_ptr<ActivationStore> images,
                 const ImageBlocks& blocks, MemoryBudget& budget, Settings settings);

  /// Sees an activation as it is computed, for the images first, first + 1, … of one block.
  using Observer = std::function<void(ValueId, int64_t first, const Tensor&)>;

  /// Makes `wanted` available, and only what they need; `observed` are shown to `observer` when
  /// they are computed. Activations of earlier calls that are neither wanted nor read by a node
  /// that is still to be computed are let go. Polls for Ctrl-C. Throws Error naming the node
  /// that fails.
  void Advance(const std::vector<ValueId>& wanted, const std::set<ValueId>& observed = {},
               const Observer& observer = {});

  /// An activation that the last Advance wanted.
  const ActivationStore& Store(ValueId id) const { return *stores_.at(id); }
  /// Bytes of everything kept in scratch files.
  int64_t bytes_on_disk() const;

 private:
  std::vector<int> Missing(const std::vector<ValueId>& wanted) const;
  void Run(const std::vector<int>& nodes, int64_t first, int64_t count);
  void RunNode(const Node& node);
  void FindLastReaders(const std::vector<int>& nodes);
  bool IsLive(ValueId id, const std::vector<ValueId>& wanted) const;
  void Keep(ValueId id, int64_t first, int64_t count, const Tensor& rows);

  const Graph& graph_;
  const ImageBlocks& blocks_;
  MemoryBudget& budget_;
  const Settings settings_;
  std::vector<std::vector<int>> readers_;  // by ValueId: nodes
  std::vector<bool> computed_;             // by node
  std::map<ValueId, std::shared_ptr<ActivationStore>> stores_;

  // Of one Advance.
  std::set<ValueId> kept_;        // made in it and kept
  std::vector<int> last_reader_;  // by ValueId, among the nodes computed; −1: none
  std::vector<Tensor> made_;      // by ValueId, for the present images
  std::set<ValueId> observed_;
  Observer observer_;
};

}  // namespace sparsify
