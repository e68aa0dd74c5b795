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
constexpr int64_t kLargeBlock = 1 << 18;  // elements
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

// A space, the layers that the search serves, and what comes of it.
struct SearchedSpace {
  ChannelSpace space;
  std::vector<ChannelUse> uses;
  ChannelGroup group;
  std::vector<int64_t> order;
};

// Channels of a space that may exchange places.
struct SearchedBlock {
  SearchedSpace* of = nullptr;
  int64_t first = 0;
  StripeSearchOptions options;
  StripeSearchResult found;
  double gained = 0;
  double seconds = 0;

  // Worth several threads by itself.
  bool IsLarge() const {
    int64_t rows = 0;
    for (const ChannelUse& use : of->uses) rows += use.outer * use.taps;
    return rows * of->space.block > kLargeBlock;
  }
};

void Search(const Graph& graph, SearchedBlock& block) {
  const Clock::time_point start = Clock::now();
  const int64_t count = block.of->space.block;
  const MagnitudeColumns columns = MagnitudesOf(graph, block.of->uses, block.first, count);
  block.found = SearchStripes(columns, block.options);
  const std::vector<int64_t> in_place = InPlace(count);
  if (block.found.order != in_place) {
    block.gained = KeptMagnitude(columns, block.found.order, block.options.n) -
                   KeptMagnitude(columns, in_place, block.options.n);
  }
  block.seconds = SecondsSince(start);
}

std::vector<SearchedBlock> BlocksOf(std::vector<SearchedSpace>& spaces,
                                    const StripeSearchOptions& options) {
  Random seeds(options.seed);
  std::vector<SearchedBlock> blocks;
  for (SearchedSpace& space : spaces) {
    if (!space.group.skipped.empty()) continue;
    for (int64_t first = 0; first < space.space.channels; first += space.space.block) {
      SearchedBlock& block = blocks.emplace_back();
      block.of = &space;
      block.first = first;
      block.options = options;
      block.options.seed = seeds.NextBits();
    }
  }
  return blocks;
}

// Large blocks one after the other, each on all threads; then the small ones, each on one.
void SearchAll(const Graph& graph, std::vector<SearchedBlock>& blocks, const std::string& title) {
  Progress progress(title, std::ssize(blocks));
  std::vector<SearchedBlock*> small;
  for (SearchedBlock& block : blocks) {
    if (block.IsLarge()) {
      Search(graph, block);
      progress.Advance();
    } else {
      small.push_back(&block);
    }
  }
  ParallelFor(std::ssize(small), [&](int64_t i) {
    Search(graph, *small[static_cast<size_t>(i)]);
    progress.Advance();
  });
}

void Collect(const SearchedBlock& block) {
  SearchedSpace& space = *block.of;
  space.group.swaps += block.found.swaps;
  space.group.escapes += block.found.escapes;
  space.group.gain.permuted += block.gained;
  space.group.seconds += block.seconds;
  for (size_t q = 0; q < block.found.order.size(); ++q) {
    space.order[static_cast<size_t>(block.first) + q] = block.first + block.found.order[q];
  }
}

std::vector<SearchedSpace> DescribeAll(const Network& network, std::vector<ChannelSpace> spaces,
                                       int64_t n) {
  std::vector<SearchedSpace> described(spaces.size());
  ParallelFor(std::ssize(spaces), [&](int64_t i) {
    SearchedSpace& space = described[static_cast<size_t>(i)];
    space.space = std::move(spaces[static_cast<size_t>(i)]);
    space.uses = SearchedUses(network.graph, space.space, network.pruned);
    space.group = Describe(network, space.space, space.uses);
    space.group.gain = GainBefore(network.graph, space.uses, n);
    space.order = InPlace(space.space.channels);
  });
  return described;
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
  std::vector<SearchedSpace> spaces = DescribeAll(network, SpacesWithReaders(graph, shapes), n);
  std::vector<SearchedBlock> blocks = BlocksOf(spaces, options);
  SearchAll(graph, blocks, title);
  for (const SearchedBlock& block : blocks) Collect(block);
  std::vector<ChannelMove> moves;
  for (SearchedSpace& space : spaces) {
    report.groups.push_back(std::move(space.group));
    if (std::is_sorted(space.order.begin(), space.order.end())) continue;
    moves.push_back({std::move(space.space), std::move(space.order)});
  }
  report.copied = MoveChannels(moves, graph);
  FinishLayers(network, n, report);
  report.seconds = SecondsSince(start);
  return report;
}

}  // namespace sparsify
