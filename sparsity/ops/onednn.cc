#include "sparsity/ops/onednn.h"

#include <dnnl.hpp>

#include "sparsity/base/error.h"

namespace sparsify {

void OnednnGemm(const GemmProblem& p, const float* a, const float* b, float* c) {
  const int64_t lda = p.transpose_a ? p.m : p.k;
  const int64_t ldb = p.transpose_b ? p.k : p.n;
  const auto status = dnnl::sgemm(p.transpose_a ? 'T' : 'N', p.transpose_b ? 'T' : 'N', p.m, p.n,
                                  p.k, p.alpha, a, lda, b, ldb, p.beta, c, p.n);
  if (status != dnnl::status::success) {
    Fail("oneDNN", "matrix product of {}x{}x{} failed (status {})", p.m, p.n, p.k,
         static_cast<int>(status));
  }
}

void OnednnGemmGradA(const GemmProblem& p, const float* b, const float* grad_c, float accumulate,
                     float* grad_a) {
  if (p.transpose_a) {  // k×m: op(B) · grad_cᵀ
    OnednnGemm({p.transpose_b, true, p.k, p.m, p.n, p.alpha, accumulate}, b, grad_c, grad_a);
  } else {  // m×k: grad_c · op(B)ᵀ
    OnednnGemm({false, !p.transpose_b, p.m, p.k, p.n, p.alpha, accumulate}, grad_c, b, grad_a);
  }
}

void OnednnGemmGradB(const GemmProblem& p, const float* a, const float* grad_c, float accumulate,
                     float* grad_b) {
  if (p.transpose_b) {  // n×k: grad_cᵀ · op(A)
    OnednnGemm({true, p.transpose_a, p.n, p.k, p.m, p.alpha, accumulate}, grad_c, a, grad_b);
  } else {  // k×n: op(A)ᵀ · grad_c
    OnednnGemm({!p.transpose_a, false, p.k, p.n, p.m, p.alpha, accumulate}, a, grad_c, grad_b);
  }
}

std::string OnednnVersion() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace sparsify
