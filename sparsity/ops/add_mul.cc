#include "sparsity/ops/add_mul.h"

#include <algorithm>
#include <functional>

#include "sparsity/base/parallel.h"
#include "sparsity/ops/broadcast.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/vector_loops.h"

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

// y = f(a, b), both broadcast to the shape of y.
template <class F>
void Combine(const Tensor& a, const Tensor& b, Tensor& y, F f) {
  const BroadcastPlan plan = PlanBroadcast(a.shape(), b.shape(), y.shape());
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
                 b_step, count, y.data() + row * length + begin, f);
    }
  });
}

// One operand of the node: where it and the other one lie, and the factor in its gradient.
struct Operand {
  const std::vector<int64_t>& steps;
  const std::vector<int64_t>& other_steps;
  const Tensor* factor;  // the other operand of Mul; null for Add
  bool is_first;
};

// Adds the share of one row to the gradient at `grad`; `factor` starts at the row or is null.
void AddRowGradient(const Operand& operand, const float* grad_y, const float* factor, int64_t count,
                    float* grad) {
  const int64_t factor_step = operand.other_steps.back();
  if (operand.steps.back() != 0) {
    for (int64_t i = 0; i < count; ++i) {
      grad[i] += factor == nullptr ? grad_y[i] : grad_y[i] * factor[i * factor_step];
    }
  } else if (factor == nullptr) {
    *grad += static_cast<float>(PlaneSum(grad_y, count));
  } else if (factor_step == 0) {
    *grad += static_cast<float>(*factor * PlaneSum(grad_y, count));
  } else {
    *grad += static_cast<float>(PlaneDot(grad_y, factor, count));
  }
}

void OperandGradient(const BroadcastPlan& plan, const Operand& operand, const Tensor& grad_y,
                     Tensor& grad) {
  if (operand.factor != nullptr && grad.shape() == grad_y.shape()) {  // not broadcast
    return Combine(grad_y, *operand.factor, grad, std::multiplies<float>());
  }
  grad.Fill(0);
  const int64_t length = plan.RowLength();
  const int64_t rows = plan.RowCount();
  // Rows may run side by side only where each has a part of the gradient to itself.
  const bool shared = std::count(operand.steps.begin(), operand.steps.end() - 1, 0) > 0;
  const int64_t together = shared ? rows : std::max<int64_t>(1, kChunk / length);
  ParallelFor((rows + together - 1) / together, [&](int64_t task) {
    for (int64_t row = task * together; row < std::min(rows, (task + 1) * together); ++row) {
      const auto start = plan.Row(row);
      const int64_t own = operand.is_first ? start.a : start.b;
      const int64_t other = operand.is_first ? start.b : start.a;
      const float* factor = operand.factor == nullptr ? nullptr : operand.factor->data() + other;
      AddRowGradient(operand, grad_y.data() + row * length, factor, length, grad.data() + own);
    }
  });
}

void CombineGradient(OpInputs inputs, const Tensor& grad_y, OpOutputs grad_inputs, bool product) {
  const BroadcastPlan plan = PlanBroadcast(inputs[0]->shape(), inputs[1]->shape(), grad_y.shape());
  const Operand first = {plan.a_steps, plan.b_steps, product ? inputs[1] : nullptr, true};
  const Operand second = {plan.b_steps, plan.a_steps, product ? inputs[0] : nullptr, false};
  if (grad_inputs[0] != nullptr) OperandGradient(plan, first, grad_y, *grad_inputs[0]);
  if (grad_inputs[1] != nullptr) OperandGradient(plan, second, grad_y, *grad_inputs[1]);
}

}  // namespace

std::vector<Shape> BroadcastOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 2, 2);
  return {BroadcastShape(node, inputs[0], inputs[1])};
}

void AddForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Combine(*inputs[0], *inputs[1], *outputs[0], std::plus<float>());
}

void MulForward(const Node& /*node*/, OpInputs inputs, OpOutputs outputs) {
  Combine(*inputs[0], *inputs[1], *outputs[0], std::multiplies<float>());
}

void AddBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                 OpOutputs grad_inputs) {
  CombineGradient(inputs, *grad_outputs[0], grad_inputs, false);
}

void MulBackward(const Node& /*node*/, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                 OpOutputs grad_inputs) {
  CombineGradient(inputs, *grad_outputs[0], grad_inputs, true);
}

}  // namespace sparsify
