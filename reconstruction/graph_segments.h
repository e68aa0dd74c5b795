// The cuts of a network: places where a single activation carries everything.
#pragma once

#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// Consecutive nodes between two neighbouring cuts: a single node, or everything from a fork to
/// its join.
struct Segment {
  enum class Kind {
    kElementwise,  // no layer, every operator element-wise (also x · sigmoid(x))
    kOther,        // no layer, but pooling, reshaping, …
    kLayer,        // one node that owns a weight
    kGate,         // layers joined by Mul: squeeze-and-excite
    kConcat,       // layers joined by Concat
    kRegion,       // layers joined otherwise (residual block)
  };
  Kind kind = Kind::kOther;
  int begin = 0;  // nodes [begin, end)
  int end = 0;
};

/// `layer_of[node]` is ≥ 0 where the node is a layer. The segments cover all nodes in order.
std::vector<Segment> FindSegments(const Graph& graph, const std::vector<int>& layer_of);

/// Activation functions, normalisation, Identity, Dropout, Clip, and Add or Mul with a parameter.
bool IsElementwise(const Graph& graph, const Node& node);

/// The node that alone reads the first output of `node`, or −1: several, none, or it is an output
/// of the network.
int OnlyReader(const Graph& graph, const Node& node);

}  // namespace sparsify
