#include "schedulers/channel_permutation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <utility>

#include "schedulers/channel_magnitude.h"
#include "schedulers/channel_moves.h"
#include "schedulers/channel_spaces.h"
#include "sparsity/base/error.h"
#include "sparsity/base/interrupt.h"
#include "sparsity/base/parallel.h"
#include "sparsity/base/progress.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

constexpr int64_t kGroup = 4;
using Clock = std::chrono::steady_clock;
using Kind = ChannelUse::Kind;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Append(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// What PermuteChannels knows of the network while it works.
struct Network {
  const Graph& graph;
  const std::vector<Layer>& layers;
  const std::vector<std::string>& skipped;
  std::vector<ValueId> pruned;  // weights of the layers that do not stay dense

  // The layer whose weight the use moves, or −1.
  int LayerOf(const ChannelUse& use) const {
    const ValueId weight = graph.node(use.node).inputs[use.input];
    for (size_t i = 0; i < layers.size(); ++i) {
      if (layers[i].weight == weight) return static_cast<int>(i);
    }
    return -1;
  }
  const std::string& NameOf(int layer) const { return layers[static_cast<size_t>(layer)].name; }
};

std::string WhyUnread(const Network& network, const ChannelSpace& space) {
  for (const ChannelUse& use : space.uses) {
    const int layer = use.kind == Kind::kReads ? network.LayerOf(use) : -1;
    if (layer < 0) continue;
    const std::string& dense = network.skipped[static_cast<size_t>(layer)];
    const std::string& name = network.NameOf(layer);
    if (!dense.empty()) return fmt::format("\"{}\" stays dense: {}", name, dense);
    return fmt::format("\"{}\" reads {} features of each channel", name, use.inner / use.taps);
  }
  return "no layer reads them";
}

// Why the channels of a space stay in place; "" when they can be searched.
std::string Obstacle(const Network& network, const ChannelSpace& space,
                     const std::vector<ChannelUse>& searched) {
  if (!space.fixed.empty()) return space.fixed;
  if (searched.empty()) return WhyUnread(network, space);
  if (space.channels % kGroup != 0) {
    return fmt::format("{} channels, no multiple of {}", space.channels, kGroup);
  }
  if (space.block % kGroup != 0) {
    return fmt::format("convolution groups of {} channels, no multiple of {}", space.block, kGroup);
  }
  for (const ChannelUse& use : searched) {
    if (use.column % kGroup == 0) continue;
    return fmt::format("they start at input channel {} of \"{}\", no multiple of {}", use.column,
                       network.NameOf(network.LayerOf(use)), kGroup);
  }
  if (space.block == kGroup) return "there are no other channels to exchange them with";
  return "";
}

ChannelGroup Describe(const Network& network, const ChannelSpace& space,
                      const std::vector<ChannelUse>& searched) {
  ChannelGroup group;
  group.channels = space.channels;
  group.block = space.block;
  for (const ChannelUse& use : space.uses) {
    const int layer = network.LayerOf(use);
    if (layer < 0) continue;
    Append(use.kind == Kind::kReads ? group.consumers : group.producers, network.NameOf(layer));
  }
  group.skipped = Obstacle(network, space, searched);
  return group;
}

std::vector<int64_t> InPlace(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

// Searches every block of the space and adds up what is gained.
std::vector<int64_t> SearchBlocks(const Graph& graph, const ChannelSpace& space,
                                  const std::vector<ChannelUse>& searched,
                                  StripeSearchOptions options, Random& seeds, ChannelGroup& group) {
  std::vector<int64_t> order = InPlace(space.channels);
  const std::vector<int64_t> in_place = InPlace(space.block);
  for (int64_t first = 0; first < space.channels; first += space.block) {
    const MagnitudeColumns columns = MagnitudesOf(graph, searched, first, space.block);
    options.seed = seeds.NextBits();
    const StripeSearchResult found = SearchStripes(columns, options);
    group.swaps += found.swaps;
    group.escapes += found.escapes;
    if (found.order == in_place) continue;
    group.gain.permuted += KeptMagnitude(columns, found.order, options.n) -
                           KeptMagnitude(columns, in_place, options.n);
    for (size_t q = 0; q < found.order.size(); ++q) {
      order[static_cast<size_t>(first) + q] = first + found.order[q];
    }
  }
  return order;
}

// The group of a space, and the order that was found for its channels.
std::pair<ChannelGroup, std::vector<int64_t>> SearchSpace(const Network& network,
                                                          const ChannelSpace& space,
                                                          const StripeSearchOptions& options,
                                                          Random& seeds) {
  const Clock::time_point start = Clock::now();
  const auto searched = SearchedUses(network.graph, space, network.pruned);
  ChannelGroup group = Describe(network, space, searched);
  group.gain = GainBefore(network.graph, searched, options.n);
  std::vector<int64_t> order;
  if (group.skipped.empty()) {
    order = SearchBlocks(network.graph, space, searched, options, seeds, group);
  }
  group.seconds = SecondsSince(start);
  return {std::move(group), std::move(order)};
}

std::vector<ChannelSpace> SpacesWithReaders(const Graph& graph, const std::vector<Shape>& shapes) {
  std::vector<ChannelSpace> spaces = FindChannelSpaces(graph, shapes);
  std::erase_if(spaces, [](const ChannelSpace& space) {
    return std::none_of(space.uses.begin(), space.uses.end(),
                        [](const ChannelUse& use) { return use.kind == Kind::kReads; });
  });
  return spaces;
}

// Which layers some group that was searched reads, and why the others' channels stay.
std::map<std::string, std::string> ReasonsByLayer(const std::vector<ChannelGroup>& groups) {
  std::map<std::string, std::string> reasons;
  for (const ChannelGroup& group : groups) {
    for (const std::string& layer : group.consumers) {
      const auto [it, added] = reasons.emplace(layer, group.skipped);
      if (group.skipped.empty()) it->second.clear();
    }
  }
  return reasons;
}

std::vector<PermutedLayer> LayersBefore(const Network& network, int64_t n) {
  std::vector<PermutedLayer> rows(network.layers.size());
  ParallelFor(std::ssize(rows), [&](int64_t i) {
    ThrowIfInterrupted();
    const auto at = static_cast<size_t>(i);
    const Layer& layer = network.layers[at];
    PermutedLayer& row = rows[at];
    row.layer = layer.name;
    row.channels = layer.weight_shape[1];
    row.skipped = network.skipped[at];
    if (!row.skipped.empty()) return;
    const Tensor& weight = network.graph.value(layer.weight).data;
    row.gain.plain = KeptByLayer(weight, n);
    row.gain.best = BestOfLayer(weight, n);
  });
  return rows;
}

void FinishLayers(const Network& network, int64_t n, PermutationReport& report) {
  const auto reasons = ReasonsByLayer(report.groups);
  ParallelFor(std::ssize(report.layers), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    PermutedLayer& row = report.layers[at];
    if (!row.skipped.empty()) return;
    row.gain.permuted = KeptByLayer(network.graph.value(network.layers[at].weight).data, n);
    const auto it = reasons.find(row.layer);
    row.skipped = it == reasons.end() ? "its input channels are not followed" : it->second;
  });
  for (const PermutedLayer& row : report.layers) {
    report.total.plain += row.gain.plain;
    report.total.permuted += row.gain.permuted;
    report.total.best += row.gain.best;
  }
}

}  // namespace

void CheckPermutable(int64_t n, int64_t m) {
  if (m != kGroup || n < 1 || n >= m) {
    FailUsage("scheduler.kwargs.allow_permutation",
              "channels are permuted for 1:4, 2:4 and 3:4, not for {}:{}; set it to False", n, m);
  }
}

double PermutationGain::Efficacy() const {
  return best > plain ? (permuted - plain) / (best - plain) : 0;
}

PermutationReport PermuteChannels(Graph& graph, const std::vector<Shape>& shapes,
                                  const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, int64_t n, int64_t m,
                                  const StripeSearchOptions& search, const std::string& title) {
  CheckPermutable(n, m);
  const Clock::time_point start = Clock::now();
  Network network{graph, layers, skipped, {}};
  for (size_t i = 0; i < layers.size(); ++i) {
    if (skipped.at(i).empty()) network.pruned.push_back(layers[i].weight);
  }
  PermutationReport report;
  report.layers = LayersBefore(network, n);
  StripeSearchOptions options = search;
  options.n = n;
  Random seeds(search.seed);
  std::vector<ChannelMove> moves;
  std::vector<ChannelSpace> spaces = SpacesWithReaders(graph, shapes);
  Progress progress(title, std::ssize(spaces));
  for (ChannelSpace& space : spaces) {
    auto [group, order] = SearchSpace(network, space, options, seeds);
    if (!std::is_sorted(order.begin(), order.end())) {
      moves.push_back({std::move(space), std::move(order)});
    }
    report.groups.push_back(std::move(group));
    progress.Advance();
  }
  report.copied = MoveChannels(moves, graph);
  FinishLayers(network, n, report);
  report.seconds = SecondsSince(start);
  return report;
}

}  // namespace sparsify
