#include "sparsity/ops/broadcast.h"

#include <algorithm>

#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

// Dimension i of `shape` aligned to the right in rank `rank`.
int64_t AlignedDim(const Shape& shape, int i, int rank) {
  const int own = i - (rank - shape.rank());
  return own < 0 ? 1 : shape[own];
}

// Row-major steps of `shape` seen through `output`; 0 along broadcast dimensions.
std::vector<int64_t> Steps(const Shape& shape, const Shape& output) {
  std::vector<int64_t> steps(static_cast<size_t>(output.rank()), 0);
  int64_t step = 1;
  for (int i = output.rank() - 1; i >= 0; --i) {
    const int64_t dim = AlignedDim(shape, i, output.rank());
    if (dim != 1) steps[static_cast<size_t>(i)] = step;
    step *= dim;
  }
  return steps;
}

}  // namespace

Shape BroadcastShape(const Node& node, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> dims;
  for (int i = 0; i < rank; ++i) {
    const int64_t from_a = AlignedDim(a, i, rank);
    const int64_t from_b = AlignedDim(b, i, rank);
    if (from_a != from_b && from_a != 1 && from_b != 1) {
      FailNode(node, "shapes {} and {} do not broadcast", a.ToString(), b.ToString());
    }
    dims.push_back(from_a == 1 ? from_b : from_a);
  }
  return Shape(dims);
}

BroadcastPlan PlanBroadcast(const Shape& a, const Shape& b, const Shape& output) {
  const auto a_steps = Steps(a, output);
  const auto b_steps = Steps(b, output);
  BroadcastPlan plan;
  for (size_t i = 0; i < a_steps.size(); ++i) {
    const int64_t dim = output.dims()[i];
    if (dim == 1) continue;
    const bool merges = !plan.dims.empty() && plan.a_steps.back() == a_steps[i] * dim &&
                        plan.b_steps.back() == b_steps[i] * dim;
    if (merges) {
      plan.dims.back() *= dim;
      plan.a_steps.back() = a_steps[i];
      plan.b_steps.back() = b_steps[i];
    } else {
      plan.dims.push_back(dim);
      plan.a_steps.push_back(a_steps[i]);
      plan.b_steps.push_back(b_steps[i]);
    }
  }
  if (plan.dims.empty()) plan = {{1}, {0}, {0}};
  return plan;
}

int64_t BroadcastPlan::RowCount() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) rows *= dims[i];
  return rows;
}

BroadcastPlan::RowStart BroadcastPlan::Row(int64_t row) const {
  RowStart start{0, 0};
  for (size_t i = dims.size() - 1; i-- > 0;) {
    const int64_t index = row % dims[i];
    row /= dims[i];
    start.a += index * a_steps[i];
    start.b += index * b_steps[i];
  }
  return start;
}

}  // namespace sparsify
