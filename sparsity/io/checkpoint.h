// The HDF5 checkpoint: graph, weights, masks, per-layer sparsity, resolved configuration
// and history. docs/checkpoint_format.md is normative.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sparsity/graph/graph.h"
#include "sparsity/mask/mask.h"

namespace sparsify {

/// One line of the checkpoint's history: when, which program version, what was done.
struct HistoryEntry {
  std::string time;     // UTC, ISO 8601
  std::string version;  // of sparsify
  std::string action;   // "pruned 50 % with NormalMaskGenerator …"
};

/// One layer's record in the per-layer table.
struct LayerSparsity {
  std::string name;
  double requested = 0;  // fractions in [0, 1]
  double achieved = 0;
  std::string skipped;  // the reason, or empty
};

struct Checkpoint {
  Graph graph;
  /// Masks by parameter name; their shapes equal the parameters'.
  std::map<std::string, Mask> masks;
  std::vector<LayerSparsity> layers;
  double requested_sparsity = 0;  // of the network, fraction
  double achieved_sparsity = 0;
  std::string configuration;              // resolved YAML
  std::map<std::string, double> metrics;  // e.g. top1 (percent)
  std::vector<HistoryEntry> history;
};

void SaveCheckpoint(const Checkpoint& checkpoint, const std::string& path);
/// Verifies version, checksums and structure. Throws Error naming file and object path.
Checkpoint LoadCheckpoint(const std::string& path);

}  // namespace sparsify
