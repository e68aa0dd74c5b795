// Steps over the lane layout: which kernels can run a step there, and the reorders from and
// to it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/isa.h"
#include "sparsity/executor/kernel.h"
#include "sparsity/executor/kernels/lane_ops.h"
#include "sparsity/executor/kernels/pooled_conv.h"

namespace sparsify {

struct LaneOptions {
  int lanes = 1;
  LaneContext context;
  /// Weights with fewer zeros are not offered sparse kernels.
  double min_sparsity = 0.3;
};

/// One way to run a step; `make` packs the weights.
struct LaneCandidate {
  std::string name;
  bool is_sparse = false;
  std::function<KernelPtr()> make;
};

/// What can run `step` over lanes, most promising first; empty when nothing can.
/// The candidates refer to `graph` and `step`.
std::vector<LaneCandidate> LaneCandidates(const FusedGraph& graph, const FusedStep& step,
                                          const LaneOptions& options);

/// A MaxPool or AveragePool of an input of this shape; none when it is dilated.
std::optional<PoolShape> LanePoolShape(const Node& pool, const Shape& in);

/// Copies a value of this shape between layouts of which at least one is kLanes.
KernelPtr MakeLaneReorder(const Shape& shape, const Layout& from, const Layout& to,
                          const LaneContext& context);

/// Row-major fully connected layer with packed nonzeros, or null when `step` is none.
KernelPtr MakeSparseLinear(const FusedGraph& graph, const FusedStep& step,
                           const LaneContext& context);

}  // namespace sparsify
