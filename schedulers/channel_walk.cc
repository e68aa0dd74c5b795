#include "schedulers/channel_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace sparsify {
namespace {

int64_t Normalized(int64_t axis, int rank) { return axis < 0 ? axis + rank : axis; }

// Whether the attribute `axes` names axis 1; absent, it stands for the first `count` axes.
bool NamesChannels(const Node& node, int rank, size_t count) {
  std::vector<int64_t> first(count);
  std::iota(first.begin(), first.end(), 0);
  const auto axes = node.attributes.Ints("axes", first);
  return std::any_of(axes.begin(), axes.end(),
                     [rank](int64_t axis) { return Normalized(axis, rank) == 1; });
}

bool PadsChannels(const Node& node, int rank) {
  std::vector<int64_t> all(static_cast<size_t>(rank));
  std::iota(all.begin(), all.end(), 0);
  const auto axes = node.attributes.Ints("axes", all);
  const auto pads = node.attributes.Ints("pads", {});
  for (size_t i = 0; i < axes.size() && i + axes.size() < pads.size(); ++i) {
    if (Normalized(axes[i], rank) != 1) continue;
    if (pads[i] != 0 || pads[i + axes.size()] != 0) return true;
  }
  return false;
}

bool ScalesChannels(const Node& node, const Shape& in, const Shape& out) {
  const auto rank = static_cast<size_t>(in.rank());
  const auto scales = node.attributes.Floats("scales", {});
  if (in[1] != out[1]) return true;
  if (scales.empty()) return false;
  std::vector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  const auto axes = node.attributes.Ints("axes", all);
  for (size_t i = 0; i < axes.size() && i < scales.size(); ++i) {
    if (Normalized(axes[i], in.rank()) == 1 && scales[i] != 1) return true;
  }
  return false;
}

bool TransposesChannels(const Node& node) {
  const auto perm = node.attributes.Ints("perm", {});
  return perm.size() < 2 || perm[0] != 0 || perm[1] != 1;
}

// Averages over something besides height and width, or over nothing that is named.
bool MixesChannels(const Node& node, int rank) {
  const auto axes = node.attributes.Ints("axes", {});
  return axes.empty() || std::any_of(axes.begin(), axes.end(),
                                     [rank](int64_t axis) { return Normalized(axis, rank) < 2; });
}

// Operators whose output channel c is the same function of the input whatever c is. Softmax over
// the channels sums over all of them alike.
bool TreatsChannelsAlike(OpType type) {
  switch (type) {
    case OpType::kRelu:
    case OpType::kClip:
    case OpType::kSigmoid:
    case OpType::kHardSigmoid:
    case OpType::kHardSwish:
    case OpType::kSiLU:
    case OpType::kMaxPool:
    case OpType::kAveragePool:
    case OpType::kGlobalAveragePool:
    case OpType::kSoftmax:
    case OpType::kIdentity:
    case OpType::kDropout:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string ChannelNodeLabel(const Node& node) {
  return fmt::format("{} \"{}\"", OpName(node.type), node.name);
}

std::vector<ChannelSpace> FindChannelSpaces(const Graph& graph, const std::vector<Shape>& shapes) {
  return ChannelWalk(graph, shapes).Run();
}

ChannelWalk::ChannelWalk(const Graph& graph, const std::vector<Shape>& shapes)
    : graph_(graph), shapes_(shapes), layouts_(graph.values().size()) {}

std::vector<ChannelSpace> ChannelWalk::Run() {
  for (const Port& port : graph_.inputs) {
    At(port.value) = Fixed(port.value, fmt::format("\"{}\" is an input of the network",
                                                   graph_.value(port.value).name));
  }
  for (int i = 0; i < static_cast<int>(graph_.nodes().size()); ++i) Follow(i);
  for (const Port& port : graph_.outputs) {
    set_.Fix(At(port.value),
             fmt::format("\"{}\" is an output of the network", graph_.value(port.value).name));
  }
  return set_.Take();
}

bool ChannelWalk::HasInput(const Node& node, size_t input) const {
  return input < node.inputs.size() && node.inputs[input] != kNoValue;
}

bool ChannelWalk::IsParameter(const Node& node, size_t input) const {
  return HasInput(node, input) && graph_.value(node.inputs[input]).is_parameter;
}

bool ChannelWalk::Fits(const Layout& layout, ValueId id) const {
  if (id == kNoValue || layout.spaces.empty()) return false;
  const Shape& shape = ShapeOf(id);
  return shape.rank() >= 2 && shape[1] == set_.Channels(layout) * layout.inner;
}

ChannelSpaceSet::Layout ChannelWalk::Fixed(ValueId id, std::string_view reason) {
  const Shape& shape = ShapeOf(id);
  if (shape.rank() < 2) return {};
  const Layout layout = set_.Start(shape[1]);
  set_.Fix(layout, reason);
  return layout;
}

void ChannelWalk::Stop(const Node& node, std::string_view reason) {
  for (const ValueId id : node.inputs) {
    if (id != kNoValue && !graph_.value(id).is_parameter) set_.Fix(At(id), reason);
  }
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) At(id) = Fixed(id, reason);
  }
}

void ChannelWalk::Follow(int index) {
  const Node& node = graph_.node(index);
  switch (node.type) {
    case OpType::kConv:
      return FollowConv(index);
    case OpType::kGemm:
    case OpType::kMatMul:
      return FollowLinear(index);
    case OpType::kBatchNormalization:
      return FollowNorm(index);
    case OpType::kAdd:
    case OpType::kMul:
      return FollowJoin(index);
    case OpType::kConcat:
      return FollowConcat(node);
    default:
      return FollowPlain(node);
  }
}

void ChannelWalk::FollowPlain(const Node& node) {
  const bool follows = HasInput(node, 0) && !IsParameter(node, 0);
  const int rank = follows ? ShapeOf(node.inputs[0]).rank() : 0;
  if (rank < 2) return Stop(node, ChannelNodeLabel(node) + " has no input with channels");
  switch (node.type) {
    case OpType::kFlatten:
    case OpType::kReshape:
      return FollowReshape(node);
    case OpType::kPad:
      return PassOnUnless(PadsChannels(node, rank), node, "pads");
    case OpType::kSlice:
      return PassOnUnless(NamesChannels(node, rank, node.attributes.Ints("starts", {}).size()),
                          node, "slices");
    case OpType::kSplit:
      return PassOnUnless(Normalized(node.attributes.Int("axis", 0), rank) == 1, node, "splits");
    case OpType::kResize:
      return PassOnUnless(ScalesChannels(node, ShapeOf(node.inputs[0]), ShapeOf(node.outputs[0])),
                          node, "resizes");
    case OpType::kTranspose:
      return PassOnUnless(TransposesChannels(node), node, "transposes");
    case OpType::kReduceMean:
      return PassOnUnless(MixesChannels(node, rank), node, "averages over");
    default:
      if (TreatsChannelsAlike(node.type)) return PassOn(node);
      return Stop(node, ChannelNodeLabel(node) + " mixes channels");
  }
}

void ChannelWalk::PassOn(const Node& node) {
  const Layout layout = At(node.inputs[0]);
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    if (!Fits(layout, id)) {
      return Stop(node, ChannelNodeLabel(node) + " has other channels than its input");
    }
    At(id) = layout;
  }
}

void ChannelWalk::PassOnUnless(bool moves, const Node& node, std::string_view what) {
  if (!moves) return PassOn(node);
  Stop(node, fmt::format("{} {} channels", ChannelNodeLabel(node), what));
}

// N×C×H×W to N×C·H·W or to N×C×…: the places of a channel stay side by side.
void ChannelWalk::FollowReshape(const Node& node) {
  const Shape& in = ShapeOf(node.inputs[0]);
  const Shape& out = ShapeOf(node.outputs[0]);
  const int64_t axis = Normalized(node.attributes.Int("axis", 1), in.rank());
  const bool kept = out.rank() >= 2 && out[0] == in[0] && out[1] % in[1] == 0 &&
                    (out.rank() == 2 || out[1] == in[1]) &&
                    (node.type != OpType::kFlatten || axis == 1);
  if (!kept) return Stop(node, ChannelNodeLabel(node) + " rearranges channels");
  Layout layout = At(node.inputs[0]);
  layout.inner *= out[1] / in[1];
  At(node.outputs[0]) = layout;
}

void ChannelWalk::FollowConcat(const Node& node) {
  const int rank = ShapeOf(node.outputs[0]).rank();
  const bool beside = Normalized(node.attributes.Int("axis", 0), rank) == 1;
  Layout all;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId id = node.inputs[i];
    const std::string label = ChannelNodeLabel(node);
    const Layout own =
        graph_.value(id).is_parameter ? Fixed(id, label + " takes a constant") : At(id);
    if (!Fits(own, id)) return Stop(node, label + " takes channels that are not followed");
    if (i == 0) {
      all = own;
    } else if (!beside) {
      all = set_.Unite(all, own, label + " joins channels that are cut differently");
    } else if (own.inner != all.inner) {
      return Stop(node, label + " joins channels of different sizes");
    } else {
      all.spaces.insert(all.spaces.end(), own.spaces.begin(), own.spaces.end());
    }
  }
  At(node.outputs[0]) = all;
}

void ChannelWalk::FollowJoin(int index) {
  const Node& node = graph_.node(index);
  const Shape& out = ShapeOf(node.outputs[0]);
  const std::string label = ChannelNodeLabel(node);
  if (out.rank() < 2) return Stop(node, label + " has no channels");
  Layout all;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || graph_.value(id).is_parameter) continue;
    const Shape& shape = ShapeOf(id);
    if (shape.rank() != out.rank()) return Stop(node, label + " joins values of different ranks");
    if (shape[1] == 1 && out[1] != 1) continue;  // repeated for every channel
    if (!Fits(At(id), id)) return Stop(node, label + " takes channels that are not followed");
    all = all.spaces.empty()
              ? At(id)
              : set_.Unite(all, At(id), label + " joins channels that are cut differently");
  }
  if (all.spaces.empty()) return Stop(node, label + " takes its channels from a constant");
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!IsParameter(node, i)) continue;
    const Shape& shape = ShapeOf(node.inputs[i]);
    const int axis = shape.rank() - out.rank() + 1;
    if (axis >= 0 && shape[axis] != 1) AddFollows(index, i, axis, all);
  }
  At(node.outputs[0]) = all;
}

}  // namespace sparsify
