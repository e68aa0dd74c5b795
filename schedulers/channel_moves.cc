#include "schedulers/channel_moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace sparsify {
namespace {

struct UseInOrder {
  const ChannelUse* use;
  const std::vector<int64_t>* order;
};

using Slot = std::pair<int, size_t>;  // node and input
using UsesBySlot = std::map<Slot, std::vector<UseInOrder>>;

void Move(const UseInOrder& move, Tensor& parameter) {
  const ChannelUse& use = *move.use;
  std::vector<float> run(static_cast<size_t>(use.length * use.inner));
  for (int64_t u = 0; u < use.outer; ++u) {
    float* entries = parameter.data() + use.base + u * use.stride;
    for (int64_t q = 0; q < use.length; ++q) {
      const int64_t from = (*move.order)[static_cast<size_t>(use.first + q)] - use.first;
      std::copy_n(entries + from * use.inner, use.inner, run.begin() + q * use.inner);
    }
    std::copy(run.begin(), run.end(), entries);
  }
}

std::vector<Slot> SlotsOf(const Graph& graph, ValueId parameter) {
  std::vector<Slot> slots;
  for (const int node : graph.Consumers(parameter)) {
    const auto& inputs = graph.node(node).inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == parameter) slots.emplace_back(node, i);
    }
  }
  return slots;
}

std::string FreeName(const Graph& graph, const std::string& stem) {
  int i = 2;
  while (graph.FindValue(fmt::format("{}.{}", stem, i)) != kNoValue) ++i;
  return fmt::format("{}.{}", stem, i);
}

bool SameValues(const Tensor& a, const Tensor& b) {
  return std::equal(a.values().begin(), a.values().end(), b.values().begin(), b.values().end());
}

// Gives every slot of a shared parameter what it needs: the parameter itself to the first slot and
// to those that need the same, a copy to the others.
void MoveShared(ValueId parameter, const UsesBySlot& uses, Graph& graph,
                std::vector<std::string>& copies) {
  std::vector<std::pair<ValueId, Tensor>> made;  // values handed out so far
  const Tensor original = graph.value(parameter).data;
  for (const Slot& slot : SlotsOf(graph, parameter)) {
    Tensor needed = original;
    if (const auto it = uses.find(slot); it != uses.end()) {
      for (const UseInOrder& use : it->second) Move(use, needed);
    }
    auto same = std::find_if(made.begin(), made.end(),
                             [&](const auto& other) { return SameValues(other.second, needed); });
    if (same == made.end()) {
      ValueId id = parameter;
      if (made.empty()) {
        graph.mutable_value(parameter).data = needed;
      } else {
        copies.push_back(FreeName(graph, graph.value(parameter).name));
        id = graph.AddParameter(copies.back(), needed);
      }
      made.emplace_back(id, std::move(needed));
      same = made.end() - 1;
    }
    graph.mutable_nodes()[static_cast<size_t>(slot.first)].inputs[slot.second] = same->first;
  }
}

}  // namespace

std::vector<std::string> MoveChannels(const std::vector<ChannelMove>& moves, Graph& graph) {
  UsesBySlot uses;
  std::map<ValueId, std::vector<Slot>> slots;
  for (const ChannelMove& move : moves) {
    for (const ChannelUse& use : move.space.uses) {
      const Slot slot = {use.node, use.input};
      const ValueId id = graph.node(use.node).inputs[use.input];
      if (!slots.contains(id)) slots[id] = SlotsOf(graph, id);
      uses[slot].push_back({&use, &move.order});
    }
  }
  std::vector<std::string> copies;
  for (const auto& [id, of_parameter] : slots) {
    if (of_parameter.size() > 1) {
      MoveShared(id, uses, graph, copies);
      continue;
    }
    for (const UseInOrder& use : uses[of_parameter[0]]) Move(use, graph.mutable_value(id).data);
  }
  return copies;
}

}  // namespace sparsify
