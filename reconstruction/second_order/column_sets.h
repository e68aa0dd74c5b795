// Which columns of a weight's row are pruned together or compete with each other, for the
// unstructured, N:M and block patterns of the second-order methods.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reconstruction/second_order/statistics.h"

namespace sparsify {

enum class PruneKind { kUnstructured, kNM, kBlock };

/// The pattern of the pruned weights; the same patterns as the mask generators of sparsity/mask.
struct PrunePattern {
  PruneKind kind = PruneKind::kUnstructured;
  /// kNM: n kept of every m consecutive input channels at each tap; of a last group of r < m
  /// min(n, r) are kept. The requested sparsity is not used.
  int64_t n = 2, m = 4;
  /// kBlock: output × input channels of a block at each tap; blocks at the edges are smaller.
  int64_t block_outputs = 1, block_inputs = 4;

  int64_t RowsTogether() const { return kind == PruneKind::kBlock ? block_outputs : 1; }
};

using ColumnSet = std::vector<int64_t>;

/// Throws Error naming the layer when the numbers make no pattern.
void CheckPattern(const std::string& layer, const PrunePattern& pattern);

/// The columns in sets, every column once: single columns in order (unstructured), or `m` or
/// `block_inputs` consecutive input channels at one tap, tap by tap.
std::vector<ColumnSet> MakeColumnSets(const LayerStatistics& statistics,
                                      const PrunePattern& pattern);

}  // namespace sparsify
