// The rules by which operators pass channels on: one walk over the nodes finds all spaces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedulers/channel_spaces.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

class ChannelWalk {
 public:
  /// Keeps references: both must outlive the walk.
  ChannelWalk(const Graph& graph, const std::vector<Shape>& shapes);

  std::vector<ChannelSpace> Run();

 private:
  using Layout = ChannelSpaceSet::Layout;

  // Each settles the layouts of the node's outputs (channel_walk.cc).
  void Follow(int index);
  void FollowPlain(const Node& node);
  void PassOn(const Node& node);
  /// Stops where `moves`: "<node> <what> channels".
  void PassOnUnless(bool moves, const Node& node, std::string_view what);
  void FollowReshape(const Node& node);
  void FollowConcat(const Node& node);
  void FollowJoin(int index);

  // Those with parameters (channel_walk_layers.cc).
  void FollowConv(int index);
  void FollowDepthwise(int index, const Layout& in);
  void FollowLinear(int index);
  void FollowNorm(int index);
  void AddReads(int index, const Layout& in, int64_t groups);
  void AddWrites(int index, const Layout& out);
  /// One entry a channel along `axis` of the parameter at `input`.
  void AddFollows(int index, size_t input, int axis, const Layout& layout);

  Layout& At(ValueId id) { return layouts_[static_cast<size_t>(id)]; }
  const Shape& ShapeOf(ValueId id) const { return shapes_[static_cast<size_t>(id)]; }
  bool IsParameter(const Node& node, size_t input) const;
  bool HasInput(const Node& node, size_t input) const;
  /// Whether every channel of the layout has its place on axis 1 of the value.
  bool Fits(const Layout& layout, ValueId id) const;
  /// All inputs stay where they are, and the outputs' channels are not moved either.
  void Stop(const Node& node, std::string_view reason);
  /// A new space of fixed channels on axis 1 of the value.
  Layout Fixed(ValueId id, std::string_view reason);

  const Graph& graph_;
  const std::vector<Shape>& shapes_;
  ChannelSpaceSet set_;
  std::vector<Layout> layouts_;  // by ValueId; of parameters unused
};

/// `Conv "layer1.0.conv1"`.
std::string ChannelNodeLabel(const Node& node);

}  // namespace sparsify
