#include "sparsity/ops/matmul.h"

#include "sparsity/ops/broadcast.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/onednn.h"

namespace sparsify {
namespace {

struct Problem {
  GemmProblem gemm;
  Shape a_batch;
  Shape b_batch;
  Shape output;
};

Shape LeadingDims(const Shape& shape) {
  if (shape.rank() < 3) return Shape{};
  return Shape(std::vector<int64_t>(shape.dims().begin(), shape.dims().end() - 2));
}

Problem Resolve(const Node& node, const Shape& a, const Shape& b) {
  if (a.rank() < 1 || b.rank() < 1) {
    FailNode(node, "inputs {} and {} must have at least one dimension", a.ToString(), b.ToString());
  }
  Problem p;
  p.gemm.transpose_b = node.attributes.Int("transB", 0) != 0;
  if (p.gemm.transpose_b && b.rank() < 2) {
    FailNode(node, "transB needs a matrix on the right, {} given", b.ToString());
  }
  const bool columns_last = !p.gemm.transpose_b;
  p.gemm.m = a.rank() > 1 ? a[-2] : 1;
  p.gemm.k = a[-1];
  p.gemm.n = b.rank() > 1 ? b[columns_last ? -1 : -2] : 1;
  const int64_t k = b.rank() > 1 ? b[columns_last ? -2 : -1] : b[0];
  if (k != p.gemm.k) {
    FailNode(node, "left {} offers {} features, right {} expects {}", a.ToString(), p.gemm.k,
             b.ToString(), k);
  }
  p.a_batch = LeadingDims(a);
  p.b_batch = LeadingDims(b);
  auto dims = BroadcastShape(node, p.a_batch, p.b_batch).dims();
  if (a.rank() > 1) dims.push_back(p.gemm.m);
  if (b.rank() > 1) dims.push_back(p.gemm.n);
  p.output = Shape(dims);
  return p;
}

// Calls body(problem, offset in a, offset in b, offset in y) for every matrix product.
template <class F>
void ForEachProduct(const Node& node, OpInputs inputs, F body) {
  const Shape& a = inputs[0]->shape();
  const Shape& b = inputs[1]->shape();
  Problem p = Resolve(node, a, b);
  if (b.rank() <= 2 && a.rank() > 2) {  // one matrix on the right: a single tall product
    p.gemm.m = a.NumElements() / p.gemm.k;
    p.a_batch = Shape{};
  }
  const Shape batch = BroadcastShape(node, p.a_batch, p.b_batch);
  const BroadcastPlan plan = PlanBroadcast(p.a_batch, p.b_batch, batch);
  const int64_t a_size = p.gemm.m * p.gemm.k;
  const int64_t b_size = p.gemm.k * p.gemm.n;
  int64_t c = 0;
  for (int64_t row = 0; row < plan.RowCount(); ++row) {
    const auto start = plan.Row(row);
    for (int64_t i = 0; i < plan.RowLength(); ++i, c += p.gemm.m * p.gemm.n) {
      body(p.gemm, (start.a + i * plan.a_steps.back()) * a_size,
           (start.b + i * plan.b_steps.back()) * b_size, c);
    }
  }
}

}  // namespace

std::vector<Shape> MatMulOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 2, 2);
  return {Resolve(node, inputs[0], inputs[1]).output};
}

void MatMulForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  float* y = outputs[0]->data();
  ForEachProduct(node, inputs, [&](const GemmProblem& p, int64_t a, int64_t b, int64_t c) {
    OnednnGemm(p, inputs[0]->data() + a, inputs[1]->data() + b, y + c);
  });
}

void MatMulBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                    OpOutputs grad_inputs) {
  for (Tensor* grad : grad_inputs) {
    if (grad != nullptr) grad->Fill(0);
  }
  const float* grad_y = grad_outputs[0]->data();
  ForEachProduct(node, inputs, [&](const GemmProblem& p, int64_t a, int64_t b, int64_t c) {
    if (grad_inputs[0] != nullptr) {
      OnednnGemmGradA(p, inputs[1]->data() + b, grad_y + c, 1, grad_inputs[0]->data() + a);
    }
    if (grad_inputs[1] != nullptr) {
      OnednnGemmGradB(p, inputs[0]->data() + a, grad_y + c, 1, grad_inputs[1]->data() + b);
    }
  });
}

}  // namespace sparsify
