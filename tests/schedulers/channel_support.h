// Small networks with every structure that channels pass through, and random moves of channels.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "schedulers/channel_moves.h"
#include "tests/support/graph_builder.h"

namespace sparsify::testing {

struct ChannelNet {
  std::string name;
  std::function<Graph(uint64_t seed)> make;
  size_t free_spaces;  // that may move at least
};

/// One a structure; each has channels that may move.
std::vector<ChannelNet> ChannelNets();

/// A random order, within its blocks, of every space that may move.
std::vector<ChannelMove> RandomMoves(const Graph& graph, uint64_t seed);

/// Parameters of `graph` that have other values in `moved`.
int ChangedParameters(const Graph& graph, const Graph& moved);

/// Relative error of all outputs for a random batch of two.
double OutputChange(const Graph& graph, const Graph& moved, uint64_t seed);

Tensor Ramp(int64_t count);
Tensor Waves(const Shape& shape);

}  // namespace sparsify::testing
