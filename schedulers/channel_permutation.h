// Channel permutation: reorders input channels before N:M masks are made, so that they keep more.
//
// Pool and Yu, "Channel Permutations for N:M Sparsity", NeurIPS 2021. The layers that read one
// tensor share a permutation of its channels, and the layers that make it, with all that lies in
// between, undo it: the network computes what it did, to rounding.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schedulers/channel_search.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

/// Magnitude that N:M keeps of some weights.
struct PermutationGain {
  double plain = 0;     // Σ|w| kept in the order given
  double permuted = 0;  // after the permutation
  double best = 0;      // the largest N/M of every row (output channel and tap): a bound

  /// Share of the gap between plain and best that is closed; 0 where there is no gap.
  double Efficacy() const;
};

/// Channels that move together, of all pruned layers that read them.
struct ChannelGroup {
  std::vector<std::string> consumers;  // layers that read the channels
  std::vector<std::string> producers;  // layers that make them, or pass them on one by one
  int64_t channels = 0;
  int64_t block = 0;    // they move within blocks of this many (grouped convolutions)
  std::string skipped;  // why they stay in place; empty: they were searched
  PermutationGain gain;
  int64_t swaps = 0;
  int64_t escapes = 0;
  double seconds = 0;  // of its blocks, which may be searched side by side
};

/// One layer: it gains from all groups that it reads. May lose a little where others gain.
struct PermutedLayer {
  std::string layer;
  int64_t channels = 0;  // input channels, of a group
  std::string skipped;   // why it stays dense or its channels stay in place
  PermutationGain gain;  // zeros where it stays dense
};

struct PermutationReport {
  std::vector<ChannelGroup> groups;  // those that some layer reads, in network order
  std::vector<PermutedLayer> layers;
  PermutationGain total;            // of the layers
  std::vector<std::string> copied;  // parameters added, because nodes shared one before
  double seconds = 0;
};

/// Throws a usage Error unless m is 4 and 1 <= n <= 3: others cannot be searched.
void CheckPermutable(int64_t n, int64_t m);

/// Permutes the channels of `graph` so that masks of n of every m input channels keep more.
/// `skipped` gives for each of `layers` why it stays dense, or "". `shapes` holds the shape of
/// every value (InferShapes); where the report names `copied` parameters, shapes and layers must be
/// found anew afterwards. Channels that the network's inputs and outputs or an operator hold in
/// place stay, with the reason in the report. `title` heads the progress line. Of `search`, n is
/// set by the call. Deterministic for a seed, on any number of threads.
/// Throws like CheckPermutable, and Error(kInterrupted) after a signal.
PermutationReport PermuteChannels(Graph& graph, const std::vector<Shape>& shapes,
                                  const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, int64_t n, int64_t m,
                                  const StripeSearchOptions& search, const std::string& title);

/// The report as CSV, heading first:
/// kind,name,channels,plain,permuted,best,efficacy,swaps,escapes,seconds,reason
/// with a row a group (named by the layers that read it, joined by +), then a row a layer, then
/// the total. Cells that a row has nothing for are "-".
std::string PermutationCsv(const PermutationReport& report);

}  // namespace sparsify
