// Checks every operator shares: a label for messages, input counts, axes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sparsity/base/error.h"
#include "sparsity/graph/graph.h"
#include "sparsity/ops/op.h"

namespace sparsify {

/// `Conv "layer1.0.conv1"`: how every message names a node.
std::string NodeLabel(const Node& node);

/// Throws `Conv "name": message`.
template <class... Args>
[[noreturn]] void FailNode(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  Fail(NodeLabel(node), format, std::forward<Args>(args)...);
}

/// True when input i exists and is not an absent optional one.
bool HasInput(const Node& node, size_t i);

/// The first `required` inputs are present, at most `allowed` exist, and only the first
/// output is asked for. Throws otherwise.
void CheckArity(const Node& node, size_t required, size_t allowed);

/// Only the first output is asked for (Dropout's mask, MaxPool's indices … are not made).
void CheckSingleOutput(const Node& node);

/// `axis` in [−rank, rank) as an index in [0, rank). Throws otherwise.
int NormalizeAxis(const Node& node, int64_t axis, int rank);

/// Every axis normalised; throws when one is named twice.
std::vector<int> NormalizeAxes(const Node& node, const std::vector<int64_t>& axes, int rank);

/// Output shape of the operators that keep their only input's shape.
std::vector<Shape> SameShape(const Node& node, OpShapes inputs);

/// Product of dims[begin, end).
int64_t ProductOf(const Shape& shape, int begin, int end);

}  // namespace sparsify
