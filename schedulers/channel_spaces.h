// Which channels of a network must be permuted together, and where weights hold them.
//
// A channel space is a run of channels that keeps its order from the layers that make it to those
// that sum over it. Convolutions and fully connected layers end one space and start another;
// whatever works on every channel for itself passes it on; Add and Mul make one of two; Concat
// puts several side by side. Everything else fixes its channels where they are, with the reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/graph/graph.h"

namespace sparsify {

/// Some entries of a parameter, one run a channel of a space: element
/// base + u·stride + q·inner + t (u < outer, q < length, t < inner) belongs to channel first + q.
struct ChannelUse {
  enum class Kind {
    kReads,    // input channels of a layer: it sums over the space
    kWrites,   // output channels of a layer
    kFollows,  // one number or filter a channel: bias, batch norm, depthwise convolution …
  };
  Kind kind = Kind::kFollows;
  int node = -1;     // index into graph.nodes()
  size_t input = 0;  // of the node: which parameter
  int64_t base = 0;
  int64_t outer = 1;
  int64_t stride = 0;
  int64_t length = 0;
  int64_t inner = 1;
  int64_t first = 0;
  int64_t column = 0;  // kReads: input channel of the layer at q = 0
  int64_t taps = 1;    // kReads: inner / taps features of a channel lie side by side (Flatten)
};

struct ChannelSpace {
  int64_t channels = 0;
  /// Channels may move within blocks of this many (groups of a convolution); divides `channels`.
  int64_t block = 0;
  std::string fixed;  // why they must stay where they are; empty: they may move
  std::vector<ChannelUse> uses;
};

/// The spaces of `graph`, in the order in which they start. `shapes` holds the shape of every
/// value for some batch size (InferShapes in ops/infer_shapes.h).
std::vector<ChannelSpace> FindChannelSpaces(const Graph& graph, const std::vector<Shape>& shapes);

/// The spaces while they are being found: what is known to be one becomes one.
class ChannelSpaceSet {
 public:
  /// Axis 1 of a value: spaces side by side, every channel taking `inner` places. Without spaces:
  /// its channels are not followed.
  struct Layout {
    std::vector<int> spaces;
    int64_t inner = 1;
  };

  Layout Start(int64_t channels);
  int64_t Channels(int space) const;
  int64_t Channels(const Layout& layout) const;
  /// Keeps the first reason that it is given.
  void Fix(const Layout& layout, std::string_view reason);
  /// Channels may move only within blocks of `block`, counted from the layout's first.
  void Restrict(const Layout& layout, int64_t block, std::string_view reason);
  /// Both have the same channels from now on; fixes both when they are cut differently.
  Layout Unite(const Layout& a, const Layout& b, std::string_view reason);
  void Add(int space, const ChannelUse& use);

  std::vector<ChannelSpace> Take();

 private:
  int Root(int space) const;
  void Unite(int a, int b, std::string_view reason);

  std::vector<ChannelSpace> spaces_;
  std::vector<int> parents_;
};

}  // namespace sparsify
