#include "sparsity/ops/pad.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>

#include "sparsity/ops/axis_gather.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

constexpr int64_t kLimit = int64_t{1} << 31;

enum class Mode { kConstant, kReflect, kEdge };

Mode ModeOf(const Node& node) {
  const std::string mode = node.attributes.String("mode", "constant");
  if (mode == "constant") return Mode::kConstant;
  if (mode == "reflect") return Mode::kReflect;
  if (mode == "edge") return Mode::kEdge;
  FailNode(node, "unknown mode \"{}\"; known: constant, reflect, edge", mode);
}

struct Pads {
  std::vector<int64_t> begin;  // one a dimension
  std::vector<int64_t> end;
};

Pads Resolve(const Node& node, const Shape& input) {
  if (!node.attributes.Has("pads")) FailNode(node, "attribute pads is missing");
  const auto rank = static_cast<size_t>(input.rank());
  std::vector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  const auto axes = NormalizeAxes(node, node.attributes.Ints("axes", all), input.rank());
  const auto pads = node.attributes.Ints("pads", {});
  if (pads.size() != 2 * axes.size()) {
    FailNode(node, "{} pads given for {} axes, {} expected", pads.size(), axes.size(),
             2 * axes.size());
  }
  Pads result{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  const Mode mode = ModeOf(node);
  for (size_t i = 0; i < axes.size(); ++i) {
    for (const int64_t pad : {pads[i], pads[i + axes.size()]}) {
      const int64_t low = mode == Mode::kConstant ? -kLimit : 0;
      const int64_t high = mode == Mode::kReflect ? input[axes[i]] : kLimit;
      if (pad < low || pad >= high) {
        FailNode(node, "pad {} of axis {} does not fit {} in mode {}", pad, axes[i],
                 input.ToString(), node.attributes.String("mode", "constant"));
      }
    }
    result.begin[static_cast<size_t>(axes[i])] = pads[i];
    result.end[static_cast<size_t>(axes[i])] = pads[i + axes.size()];
  }
  return result;
}

// Index in [0, size) that output position `at` (0 = first input element) copies.
int64_t SourceIndex(Mode mode, int64_t at, int64_t size) {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case Mode::kConstant:
      break;
    case Mode::kEdge:
      return std::clamp<int64_t>(at, 0, size - 1);
    case Mode::kReflect:
      return at < 0 ? -at : 2 * (size - 1) - at;
  }
  return AxisGather::kOutside;
}

AxisGather PlanPad(const Node& node, const Shape& input, const Shape& output) {
  const Pads pads = Resolve(node, input);
  const Mode mode = ModeOf(node);
  const auto steps = RowMajorSteps(input);
  AxisGather gather;
  gather.fill = static_cast<float>(node.attributes.Float("constant_value", 0));
  for (size_t axis = 0; axis < steps.size(); ++axis) {
    const int64_t size = input.dims()[axis];
    std::vector<int64_t> offsets(static_cast<size_t>(output.dims()[axis]));
    for (size_t i = 0; i < offsets.size(); ++i) {
      const int64_t source = SourceIndex(mode, static_cast<int64_t>(i) - pads.begin[axis], size);
      offsets[i] = source == AxisGather::kOutside ? source : source * steps[axis];
    }
    gather.offsets.push_back(std::move(offsets));
  }
  return gather;
}

}  // namespace

std::vector<Shape> PadOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  const Pads pads = Resolve(node, inputs[0]);
  Shape output = inputs[0];
  for (int i = 0; i < output.rank(); ++i) {
    const auto axis = static_cast<size_t>(i);
    output.set_dim(i, inputs[0][i] + pads.begin[axis] + pads.end[axis]);
  }
  return {output};
}

void PadForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  Gather(PlanPad(node, inputs[0]->shape(), outputs[0]->shape()), *inputs[0], *outputs[0]);
}

void PadBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                 OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  ScatterAdd(PlanPad(node, inputs[0]->shape(), grad_outputs[0]->shape()), *grad_outputs[0],
             *grad_inputs[0]);
}

}  // namespace sparsify
