// The door to oneDNN (2.6 and 3.x): dense convolution and matrix product, and their gradients, on
// plain row-major memory or channel blocks. Primitives are cached by problem and thread count,
// weights are not, so they may change between calls. Safe to call from several threads; uses
// Threads() threads.
#pragma once

#include <cstdint>
#include <string>

#include "sparsity/ops/window.h"

namespace sparsify {

struct ConvProblem {
  int64_t batch = 1;
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  int64_t groups = 1;
  Window window;
  bool has_bias = false;
  // Whether x, y and their gradients lie in channel blocks (channel_blocks.h), not plainly.
  bool x_blocked = false;
  bool y_blocked = false;
  // Whether the factors of all products are rounded to bf16. Sums and results are f32.
  bool bf16 = false;

  auto operator<=>(const ConvProblem&) const = default;
};

/// Whether there are fast kernels for the problem and the gradient of its input, with the
/// activations that are blocked in it; and for the gradient of the weights.
bool OnednnConvTakesBlocks(const ConvProblem& problem);
bool OnednnGradWeightTakesBlocks(const ConvProblem& problem);

/// Whether this machine has bf16 kernels for the problem (whose bf16 is set) and its gradients that
/// use its fastest bf16 instructions.
bool OnednnHasBf16Kernels(const ConvProblem& problem);

/// y[N,O,OH,OW] = x[N,I,H,W] * w[O,I/groups,KH,KW] + bias[O]. `bias` is null iff !has_bias.
void OnednnConv(const ConvProblem& problem, const float* x, const float* w, const float* bias,
                float* y);

/// grad_x[N,I,H,W] from w, and grad_w[O,I/groups,KH,KW] from x, given grad_y[N,O,OH,OW]. A null
/// gradient is not computed, and what only that one needs may be null. The problem's has_bias
/// plays no part.
void OnednnConvGradients(const ConvProblem& problem, const float* x, const float* w,
                         const float* grad_y, float* grad_x, float* grad_w);

/// C[m,n] = alpha · op(A) · op(B) + beta · C; op(A) is m×k, op(B) is k×n, row-major and dense.
struct GemmProblem {
  bool transpose_a = false;  // A is stored k×m
  bool transpose_b = false;  // B is stored n×k
  int64_t m = 1;
  int64_t n = 1;
  int64_t k = 1;
  float alpha = 1;
  float beta = 0;
};
void OnednnGemm(const GemmProblem& problem, const float* a, const float* b, float* c);

/// Gradients of C in A and in B, in the layout A and B are stored in; grad_c is m×n.
/// grad = alpha · (…) + accumulate · grad; the problem's beta plays no part.
void OnednnGemmGradA(const GemmProblem& problem, const float* b, const float* grad_c,
                     float accumulate, float* grad_a);
void OnednnGemmGradB(const GemmProblem& problem, const float* a, const float* grad_c,
                     float accumulate, float* grad_b);

/// Version of the library in use, e.g. "2.6.3".
std::string OnednnVersion();

}  // namespace sparsify
