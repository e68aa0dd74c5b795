#include <fmt/format.h>

#include "schedulers/channel_walk.h"

namespace sparsify {
namespace {

int64_t Product(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) product *= shape[i];
  return product;
}

// One number an output channel: [O] or [1, O].
bool IsBias(const Shape& shape, int64_t outputs) {
  return shape.rank() >= 1 && shape[-1] == outputs && shape.NumElements() == outputs;
}

}  // namespace

void ChannelWalk::AddReads(int index, const Layout& in, int64_t groups) {
  const Node& node = graph_.node(index);
  const Shape& weight = ShapeOf(node.inputs[1]);
  const int64_t taps = Product(weight, 2, weight.rank());
  const int64_t rows = weight[0] / groups;
  int64_t offset = 0;
  for (const int space : in.spaces) {
    ChannelUse use{.kind = ChannelUse::Kind::kReads, .node = index, .input = 1};
    use.outer = rows;
    use.stride = weight[1] * taps;
    use.inner = in.inner * taps;
    use.taps = taps;
    const int64_t channels = set_.Channels(space);
    use.length = groups == 1 ? channels : weight[1];
    for (use.first = 0; use.first < channels; use.first += use.length) {
      use.column = groups == 1 ? offset * in.inner : 0;
      const int64_t group = groups == 1 ? 0 : (offset + use.first) / weight[1];
      use.base = group * rows * use.stride + use.column * taps;
      set_.Add(space, use);
    }
    offset += channels;
  }
}

void ChannelWalk::AddWrites(int index, const Layout& out) {
  const Node& node = graph_.node(index);
  const Shape& weight = ShapeOf(node.inputs[1]);
  ChannelUse use{.kind = ChannelUse::Kind::kWrites, .node = index, .input = 1};
  use.length = weight[0];
  use.inner = weight.NumElements() / weight[0];
  set_.Add(out.spaces[0], use);
  if (HasInput(node, 2) && IsBias(ShapeOf(node.inputs[2]), weight[0])) {
    AddFollows(index, 2, ShapeOf(node.inputs[2]).rank() - 1, out);
  }
}

void ChannelWalk::AddFollows(int index, size_t input, int axis, const Layout& layout) {
  const Shape& shape = ShapeOf(graph_.node(index).inputs[input]);
  const int64_t after = Product(shape, axis + 1, shape.rank());
  int64_t offset = 0;
  for (const int space : layout.spaces) {
    ChannelUse use{.kind = ChannelUse::Kind::kFollows, .node = index, .input = input};
    use.inner = layout.inner * after;
    use.base = offset * use.inner;
    use.outer = Product(shape, 0, axis);
    use.stride = shape[axis] * after;
    use.length = set_.Channels(space);
    set_.Add(space, use);
    offset += use.length;
  }
}

void ChannelWalk::FollowDepthwise(int index, const Layout& in) {
  const Node& node = graph_.node(index);
  AddFollows(index, 1, 0, in);
  if (HasInput(node, 2)) AddFollows(index, 2, 0, in);
  At(node.outputs[0]) = in;
}

void ChannelWalk::FollowConv(int index) {
  const Node& node = graph_.node(index);
  const std::string label = ChannelNodeLabel(node);
  if (!IsParameter(node, 1) || (HasInput(node, 2) && !IsParameter(node, 2))) {
    return Stop(node, label + " computes its weight or bias");
  }
  if (graph_.Consumers(node.inputs[1]).size() > 1) {
    return Stop(node, label + " shares its weight with another node");
  }
  if (IsParameter(node, 0)) return Stop(node, label + " takes a constant");
  const Layout in = At(node.inputs[0]);
  if (!Fits(in, node.inputs[0])) return Stop(node, label + " takes channels that are not followed");
  const Shape& weight = ShapeOf(node.inputs[1]);
  const int64_t groups = node.attributes.Int("group", 1);
  if (groups > 1 && in.inner > 1) return Stop(node, label + " groups the places of a channel");
  if (groups > 1 && weight[1] == 1) {
    if (weight[0] == groups) return FollowDepthwise(index, in);
    return Stop(node, label + " makes several channels of each");
  }
  const Layout out = set_.Start(weight[0]);
  if (groups > 1) {
    const std::string reason = label + " groups channels across the borders of their blocks";
    set_.Restrict(in, weight[1], reason);
    set_.Restrict(out, weight[0] / groups, reason);
  }
  AddReads(index, in, groups);
  AddWrites(index, out);
  At(node.outputs[0]) = out;
}

void ChannelWalk::FollowLinear(int index) {
  const Node& node = graph_.node(index);
  const std::string label = ChannelNodeLabel(node);
  if (!IsParameter(node, 1) || IsParameter(node, 0) ||
      (HasInput(node, 2) && !IsParameter(node, 2))) {
    return Stop(node, label + " multiplies two computed values or adds one");
  }
  if (graph_.Consumers(node.inputs[1]).size() > 1) {
    return Stop(node, label + " shares its weight with another node");
  }
  const Shape& in_shape = ShapeOf(node.inputs[0]);
  const Shape& weight = ShapeOf(node.inputs[1]);
  if (in_shape.rank() != 2 || weight.rank() != 2 || node.attributes.Int("transB", 0) != 1 ||
      node.attributes.Int("transA", 0) != 0) {
    return Stop(node, label + " does not multiply N×I by a weight O×I");
  }
  const Layout in = At(node.inputs[0]);
  if (!Fits(in, node.inputs[0])) return Stop(node, label + " takes channels that are not followed");
  const Layout out = set_.Start(weight[0]);
  if (HasInput(node, 2) && ShapeOf(node.inputs[2]).NumElements() != 1 &&
      !IsBias(ShapeOf(node.inputs[2]), weight[0])) {
    set_.Fix(out, label + " adds a bias that is not one number a channel");
  }
  AddReads(index, in, 1);
  AddWrites(index, out);
  At(node.outputs[0]) = out;
}

void ChannelWalk::FollowNorm(int index) {
  const Node& node = graph_.node(index);
  const std::string label = ChannelNodeLabel(node);
  const Layout in = HasInput(node, 0) ? At(node.inputs[0]) : Layout{};
  if (!Fits(in, node.inputs[0])) return Stop(node, label + " takes channels that are not followed");
  for (size_t i = 1; i < 5; ++i) {
    if (!IsParameter(node, i)) return Stop(node, label + " computes its statistics");
  }
  for (size_t i = 1; i < 5; ++i) AddFollows(index, i, 0, in);
  At(node.outputs[0]) = in;
}

}  // namespace sparsify
