// Numpy broadcasting: the common shape of two tensors and the walk over it.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// The shape both broadcast to. Throws Error naming the node when they do not.
Shape BroadcastShape(const Node& node, const Shape& a, const Shape& b);

/// The output's dimensions with neighbours merged where both inputs allow it, and each
/// input's step (in elements) along them; 0 where it is broadcast. Never empty.
struct BroadcastPlan {
  std::vector<int64_t> dims;
  std::vector<int64_t> a_steps;
  std::vector<int64_t> b_steps;

  /// Elements of the innermost merged dimension, and the number of such rows.
  int64_t RowLength() const { return dims.back(); }
  int64_t RowCount() const;
  struct RowStart {
    int64_t a;
    int64_t b;
  };
  /// Offsets of the row's first element in either input.
  RowStart Row(int64_t row) const;
};

/// `output` is BroadcastShape(a, b).
BroadcastPlan PlanBroadcast(const Shape& a, const Shape& b, const Shape& output);

}  // namespace sparsify
