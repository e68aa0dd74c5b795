#include "sparsity/ops/slice.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "sparsity/ops/axis_gather.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

struct Range {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

// Clamped as ONNX prescribes; negative bounds count from the end.
Range Resolve(const Node& node, int64_t size, int64_t start, int64_t end, int64_t step) {
  if (step == 0) FailNode(node, "a step of 0 is not allowed");
  step = std::clamp(step, -size, size);  // a longer step takes one element just as well
  if (start < 0) start += size;
  if (end < 0) end += size;
  const bool forward = step > 0;
  start = std::clamp<int64_t>(start, 0, forward ? size : size - 1);
  end = std::clamp<int64_t>(end, forward ? 0 : -1, size);
  const int64_t span = forward ? end - start : start - end;
  const int64_t stride = forward ? step : -step;
  return {start, step, span <= 0 ? 0 : (span + stride - 1) / stride};
}

std::vector<Range> Resolve(const Node& node, const Shape& input) {
  std::vector<Range> ranges;
  for (const int64_t dim : input.dims()) ranges.push_back({0, 1, dim});
  for (const char* key : {"starts", "ends"}) {
    if (!node.attributes.Has(key)) FailNode(node, "attribute {} is missing", key);
  }
  const auto starts = node.attributes.Ints("starts", {});
  const auto ends = node.attributes.Ints("ends", {});
  std::vector<int64_t> first(starts.size());
  std::iota(first.begin(), first.end(), 0);
  const auto axes = NormalizeAxes(node, node.attributes.Ints("axes", first), input.rank());
  const auto steps = node.attributes.Ints("steps", std::vector<int64_t>(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    FailNode(node, "starts, ends, axes and steps have {}, {}, {} and {} values, equal expected",
             starts.size(), ends.size(), axes.size(), steps.size());
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    ranges[static_cast<size_t>(axes[i])] =
        Resolve(node, input[axes[i]], starts[i], ends[i], steps[i]);
  }
  return ranges;
}

AxisGather PlanSlice(const Node& node, const Shape& input) {
  const auto ranges = Resolve(node, input);
  const auto strides = RowMajorSteps(input);
  AxisGather gather;
  for (size_t axis = 0; axis < ranges.size(); ++axis) {
    std::vector<int64_t> offsets;
    for (int64_t i = 0; i < ranges[axis].count; ++i) {
      offsets.push_back((ranges[axis].start + i * ranges[axis].step) * strides[axis]);
    }
    gather.offsets.push_back(std::move(offsets));
  }
  return gather;
}

}  // namespace

std::vector<Shape> SliceOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  std::vector<int64_t> dims;
  for (const Range& range : Resolve(node, inputs[0])) dims.push_back(range.count);
  return {Shape(dims)};
}

void SliceForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  Gather(PlanSlice(node, inputs[0]->shape()), *inputs[0], *outputs[0]);
}

void SliceBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                   OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  ScatterAdd(PlanSlice(node, inputs[0]->shape()), *grad_outputs[0], *grad_inputs[0]);
}

}  // namespace sparsify
