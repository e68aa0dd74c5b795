#include "sparsity/ops/reduce_mean.h"

#include <numeric>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

std::vector<bool> ReducedAxes(const Node& node, int rank) {
  const auto axes = node.attributes.Ints("axes", {});
  const bool none = axes.empty() && node.attributes.Int("noop_with_empty_axes", 0) != 0;
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !none);
  for (const int axis : NormalizeAxes(node, axes, rank)) reduced[static_cast<size_t>(axis)] = true;
  return reduced;
}

// Offsets of every index combination over the axes whose flag equals `wanted`, row-major.
std::vector<int64_t> Offsets(const Shape& shape, const std::vector<bool>& flags, bool wanted) {
  std::vector<int64_t> offsets = {0};
  int64_t step = shape.NumElements();
  for (int i = 0; i < shape.rank(); ++i) {
    step /= shape[i];
    if (flags[static_cast<size_t>(i)] != wanted) continue;
    std::vector<int64_t> next;
    next.reserve(offsets.size() * static_cast<size_t>(shape[i]));
    for (const int64_t base : offsets) {
      for (int64_t j = 0; j < shape[i]; ++j) next.push_back(base + j * step);
    }
    offsets = std::move(next);
  }
  return offsets;
}

}  // namespace

std::vector<Shape> ReduceMeanOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  const auto reduced = ReducedAxes(node, inputs[0].rank());
  const bool keep = node.attributes.Int("keepdims", 1) != 0;
  std::vector<int64_t> dims;
  for (int i = 0; i < inputs[0].rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)]) dims.push_back(inputs[0][i]);
    if (reduced[static_cast<size_t>(i)] && keep) dims.push_back(1);
  }
  return {Shape(dims)};
}

void ReduceMeanForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const Tensor& x = *inputs[0];
  const auto reduced = ReducedAxes(node, x.shape().rank());
  const auto bases = Offsets(x.shape(), reduced, false);
  const auto terms = Offsets(x.shape(), reduced, true);
  ParallelFor(static_cast<int64_t>(bases.size()), [&](int64_t i) {
    const float* from = x.data() + bases[static_cast<size_t>(i)];
    double sum = 0;
    for (const int64_t offset : terms) sum += from[offset];
    (*outputs[0])[i] = static_cast<float>(sum / static_cast<double>(terms.size()));
  });
}

std::vector<Shape> GlobalAveragePoolOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 1, 1);
  if (inputs[0].rank() < 3) {
    FailNode(node, "input {} must have a batch, a channel and spatial dimensions",
             inputs[0].ToString());
  }
  std::vector<int64_t> dims(static_cast<size_t>(inputs[0].rank()), 1);
  dims[0] = inputs[0][0];
  dims[1] = inputs[0][1];
  return {Shape(dims)};
}

void GlobalAveragePoolForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  const Shape& shape = inputs[0]->shape();
  const int64_t area = ProductOf(shape, 2, shape.rank());
  ParallelFor(shape[0] * shape[1], [&](int64_t plane) {
    const float* from = inputs[0]->data() + plane * area;
    (*outputs[0])[plane] =
        static_cast<float>(std::accumulate(from, from + area, 0.0) / static_cast<double>(area));
  });
}

void ReduceMeanBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/,
                        OpInputs grad_outputs, OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  const Shape& shape = inputs[0]->shape();
  const auto reduced = ReducedAxes(node, shape.rank());
  const auto bases = Offsets(shape, reduced, false);
  const auto terms = Offsets(shape, reduced, true);
  ParallelFor(static_cast<int64_t>(bases.size()), [&](int64_t i) {
    float* to = grad_inputs[0]->data() + bases[static_cast<size_t>(i)];
    const float share = (*grad_outputs[0])[i] / static_cast<float>(terms.size());
    for (const int64_t offset : terms) to[offset] = share;
  });
}

void GlobalAveragePoolBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/,
                               OpInputs grad_outputs, OpOutputs grad_inputs) {
  if (grad_inputs[0] == nullptr) return;
  const Shape& shape = inputs[0]->shape();
  const int64_t area = ProductOf(shape, 2, shape.rank());
  ParallelFor(shape[0] * shape[1], [&](int64_t plane) {
    const float share = (*grad_outputs[0])[plane] / static_cast<float>(area);
    std::fill_n(grad_inputs[0]->data() + plane * area, area, share);
  });
}

}  // namespace sparsify
