#include "sparsity/ops/gemm.h"

#include "sparsity/base/parallel.h"
#include "sparsity/ops/node_check.h"
#include "sparsity/ops/precision.h"

namespace sparsify {
namespace {

GemmProblem Resolve(const Node& node, const Shape& a, const Shape& b) {
  if (a.rank() != 2 || b.rank() != 2) {
    FailNode(node, "inputs {} and {} must both be matrices", a.ToString(), b.ToString());
  }
  GemmProblem p;
  p.transpose_a = node.attributes.Int("transA", 0) != 0;
  p.transpose_b = node.attributes.Int("transB", 0) != 0;
  p.m = a[p.transpose_a ? 1 : 0];
  p.k = a[p.transpose_a ? 0 : 1];
  p.n = b[p.transpose_b ? 0 : 1];
  const int64_t k = b[p.transpose_b ? 1 : 0];
  if (k != p.k) {
    FailNode(node, "input {} offers {} features, weight {} expects {}", a.ToString(), p.k,
             b.ToString(), k);
  }
  p.alpha = static_cast<float>(node.attributes.Float("alpha", 1));
  return p;
}

bool BroadcastsTo(const Shape& c, int64_t m, int64_t n) {
  if (c.rank() > 2) return false;
  const int64_t columns = c.rank() >= 1 ? c[-1] : 1;
  const int64_t rows = c.rank() == 2 ? c[0] : 1;
  return (rows == 1 || rows == m) && (columns == 1 || columns == n);
}

// y = beta · C, broadcast.
void StartWithBias(const Tensor& c, float beta, int64_t m, int64_t n, float* y) {
  const bool by_column = c.shape().rank() >= 1 && c.shape()[-1] == n;
  const bool by_row = c.shape().rank() == 2 && c.shape()[0] == m;
  const int64_t column_step = by_column ? 1 : 0;
  const int64_t row_step = by_row ? (by_column ? n : 1) : 0;
  ParallelFor(m, [&](int64_t i) {
    const float* from = c.data() + i * row_step;
    for (int64_t j = 0; j < n; ++j) y[i * n + j] = beta * from[j * column_step];
  });
}

// grad_c = beta · grad_y, summed along the dimensions that c was repeated along.
void BiasGradient(const Tensor& grad_y, float beta, Tensor& grad_c) {
  const int64_t m = grad_y.shape()[0];
  const int64_t n = grad_y.shape()[1];
  const Shape& c = grad_c.shape();
  const bool by_column = c.rank() >= 1 && c[-1] == n;
  const bool by_row = c.rank() == 2 && c[0] == m;
  const int64_t column_step = by_column ? 1 : 0;
  const int64_t row_step = by_row ? (by_column ? n : 1) : 0;
  std::vector<double> sums(static_cast<size_t>(grad_c.size()), 0.0);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      sums[static_cast<size_t>(i * row_step + j * column_step)] += grad_y[i * n + j];
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    grad_c[static_cast<int64_t>(i)] = static_cast<float>(beta * sums[i]);
  }
}

ConvProblem Bf16Problem(const Node& node, OpInputs inputs) {
  std::vector<Shape> shapes;
  for (const Tensor* input : inputs) {
    shapes.push_back(input == nullptr ? Shape{0} : input->shape());
  }
  std::optional<ConvProblem> problem = GemmAsConv(node, shapes);
  if (!problem) FailNode(node, "is not computed in bf16: {}", F32Reason(node, shapes));
  problem->bf16 = true;
  return *problem;
}

}  // namespace

std::vector<Shape> GemmOutputShapes(const Node& node, OpShapes inputs) {
  CheckArity(node, 2, 3);
  const GemmProblem p = Resolve(node, inputs[0], inputs[1]);
  if (HasInput(node, 2) && !BroadcastsTo(inputs[2], p.m, p.n)) {
    FailNode(node, "bias {} does not broadcast to [{},{}]", inputs[2].ToString(), p.m, p.n);
  }
  return {{p.m, p.n}};
}

void GemmForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  GemmProblem p = Resolve(node, inputs[0]->shape(), inputs[1]->shape());
  if (HasInput(node, 2)) {
    const auto beta = static_cast<float>(node.attributes.Float("beta", 1));
    StartWithBias(*inputs[2], beta, p.m, p.n, outputs[0]->data());
    p.beta = 1;
  }
  OnednnGemm(p, inputs[0]->data(), inputs[1]->data(), outputs[0]->data());
}

std::optional<ConvProblem> GemmAsConv(const Node& node, OpShapes inputs) {
  const GemmProblem p = Resolve(node, inputs[0], inputs[1]);
  const bool has_bias = HasInput(node, 2);
  const bool is_scaled = p.alpha != 1 || node.attributes.Float("beta", 1) != 1;
  const bool by_column = !has_bias || inputs[2] == Shape{p.n} || inputs[2] == Shape{1, p.n};
  if (p.transpose_a || !p.transpose_b || is_scaled || !by_column) return std::nullopt;
  return ConvProblem{.batch = p.m,
                     .in_channels = p.k,
                     .out_channels = p.n,
                     .groups = 1,
                     .window = {},
                     .has_bias = has_bias};
}

void Bf16GemmForward(const Node& node, OpInputs inputs, OpOutputs outputs) {
  const ConvProblem problem = Bf16Problem(node, inputs);
  OnednnConv(problem, inputs[0]->data(), inputs[1]->data(),
             problem.has_bias ? inputs[2]->data() : nullptr, outputs[0]->data());
}

void Bf16GemmBackward(const Node& node, OpInputs inputs, OpInputs grad_outputs,
                      OpOutputs grad_inputs) {
  const auto data = [&](size_t i) {
    return grad_inputs[i] == nullptr ? nullptr : grad_inputs[i]->data();
  };
  OnednnConvGradients(Bf16Problem(node, inputs), inputs[0]->data(), inputs[1]->data(),
                      grad_outputs[0]->data(), data(0), data(1));
  if (HasInput(node, 2) && grad_inputs[2] != nullptr) {
    BiasGradient(*grad_outputs[0], 1, *grad_inputs[2]);
  }
}

void GemmBackward(const Node& node, OpInputs inputs, OpInputs /*outputs*/, OpInputs grad_outputs,
                  OpOutputs grad_inputs) {
  const GemmProblem p = Resolve(node, inputs[0]->shape(), inputs[1]->shape());
  const float* grad_y = grad_outputs[0]->data();
  if (grad_inputs[0] != nullptr) {
    OnednnGemmGradA(p, inputs[1]->data(), grad_y, 0, grad_inputs[0]->data());
  }
  if (grad_inputs[1] != nullptr) {
    OnednnGemmGradB(p, inputs[0]->data(), grad_y, 0, grad_inputs[1]->data());
  }
  if (HasInput(node, 2) && grad_inputs[2] != nullptr) {
    const auto beta = static_cast<float>(node.attributes.Float("beta", 1));
    BiasGradient(*grad_outputs[0], beta, *grad_inputs[2]);
  }
}

}  // namespace sparsify
