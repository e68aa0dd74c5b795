// Moves the entries of parameters to where permuted channels expect them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "schedulers/channel_spaces.h"

namespace sparsify {

/// Channel order[q] of a space comes to place q.
struct ChannelMove {
  ChannelSpace space;
  std::vector<int64_t> order;
};

/// Moves every entry that the spaces' uses name. A parameter that several nodes read and that they
/// need in different orders is copied for those that come later; the copies' names are returned.
std::vector<std::string> MoveChannels(const std::vector<ChannelMove>& moves, Graph& graph);

}  // namespace sparsify
