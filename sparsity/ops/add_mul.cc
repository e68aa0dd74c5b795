#include "sparsity/ops/add_mul.h"

#include <algorithm>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/broadcast.h"
#include "sparsity/ops/node_check.h"

namespace sparsify {
namespace {

constexpr int64_t kChunk = 1 << 14;  // elements a thread takes at a time

template <class F>
void CombineRow(const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t count,
                float* y, F f) {
  if (a_step == 1 && b_step == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[i]);
  } else if (a_step == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[i], b[0]);
  } else {  // only a is broadcast, or a single element
    for (int64_t i = 0; i < count; ++i) y[i] = f(a[0], b[i * b_step]);
  }
}

template <class F>
void Combine(OpInputs inputs, OpOutputs outputs, F f) {
  const Tensor& a = *inputs[0];
  const Tensor& b = *inputs[1];
  const BroadcastPlan plan = PlanBroadcast(a.shape(), b.shape(), outputs[0]->shape());
  const int64_t length = plan.RowLength();
  const int64_t rows = plan.RowCount();
  const int64_t pieces = (length + kChunk - 1) / kChunk;           // of a long row
  const int64_t together = std::max<int64_t>(1, kChunk / length);  // short rows a task
  const int64_t tasks_of_rows = (rows + together - 1) / together;
  const int64_t a_step = plan.a_steps.back();
  const int64_t b_step = plan.b_steps.back();
  ParallelFor(tasks_of_rows * pieces, [&](int64_t task) {
    const int64_t begin = task % pieces * kChunk;
    const int64_t count = std::min(kChunk, length - begin);
    const int64_t first = task / pieces * together;
    for (int64_t row = first; row < std::min(rows, first + together); ++row) {
      const auto start = plan.Row(row);
      CombineRow(a.data() + start.a + begin * a_step, a_step, b.data() + start.b + begin * b_step,
                 b_step, count, outputs[0]->data() + row * length + begin, f);
    }
  });
}

}  // namespace

std::vector<Shape> BroadcastOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 2, 2);
  return {BroadcastShape(node, inputs[0], inputs[1])};
}

void AddForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Combine(inputs, outputs, [](float a, float b) { return a + b; });
}

void MulForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Combine(inputs, outputs, [](float a, float b) { return a * b; });
}

}  // namespace sparsify
