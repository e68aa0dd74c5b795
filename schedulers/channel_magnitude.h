// Magnitudes that N:4 keeps: of a layer, of the channels of a space, and as the matrix to search.
#pragma once

#include <span>
#include <vector>

#include "schedulers/channel_permutation.h"
#include "schedulers/channel_search.h"
#include "schedulers/channel_spaces.h"

namespace sparsify {

/// Σ|w| that n of every four consecutive input channels keep, at each output channel and tap.
double KeptByLayer(const Tensor& weight, int64_t n);
/// Σ|w| of as many of the largest of each row (output channel and tap).
double BestOfLayer(const Tensor& weight, int64_t n);

/// The uses that the search serves: inputs of `weights`, one column a channel.
std::vector<ChannelUse> SearchedUses(const Graph& graph, const ChannelSpace& space,
                                     std::span<const ValueId> weights);

/// |w| of channels [first, first + count) in all `uses` that hold them: a row an output channel
/// and tap, a column a channel.
MagnitudeColumns MagnitudesOf(const Graph& graph, const std::vector<ChannelUse>& uses,
                              int64_t first, int64_t count);

/// What n of every four keep of the uses, and what as many of the largest of each row would.
PermutationGain GainBefore(const Graph& graph, const std::vector<ChannelUse>& uses, int64_t n);

}  // namespace sparsify
