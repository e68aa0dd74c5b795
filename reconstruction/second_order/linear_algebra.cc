#include "reconstruction/second_order/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>

#include "sparsity/base/parallel.h"

namespace sparsify {
namespace {

int Int(int64_t value) { return static_cast<int>(value); }

// A row-major lower triangle is LAPACK's (column-major) upper triangle.
constexpr char kLower = 'U';

// The threads of one factorisation wait for each other by spinning, very often: on a machine
// that does other work too, that costs far more than further threads gain.
class OneThread {
 public:
  OneThread() : threads_(Threads()) { SetThreads(1); }
  ~OneThread() { SetThreads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int threads_;
};

template <class M, class Potrf>
bool Factor(M& a, const Potrf& potrf) {
  if (a.size() == 0) return true;
  const OneThread one_thread;
  if (potrf(LAPACK_COL_MAJOR, kLower, Int(a.rows()), a.data(), Int(a.rows())) != 0) return false;
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = i + 1; j < a.cols(); ++j) a(i, j) = 0;
  }
  return a.allFinite();
}

}  // namespace

void MirrorLower(Matrix& a) {
  constexpr int64_t kTile = 32;  // both of a pair fit into the first-level cache
  const int64_t n = a.rows();
  for (int64_t top = 0; top < n; top += kTile) {
    for (int64_t left = top; left < n; left += kTile) {
      for (int64_t i = top; i < std::min(top + kTile, n); ++i) {
        for (int64_t j = std::max(left, i + 1); j < std::min(left + kTile, n); ++j) {
          a(i, j) = a(j, i);
        }
      }
    }
  }
}

void Multiply(const Matrix& a, const Matrix& b, Matrix& c) {
  c.resize(a.rows(), b.cols());
  if (c.size() == 0) return;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, Int(a.rows()), Int(b.cols()),
              Int(a.cols()), 1.0, a.data(), Int(a.cols()), b.data(), Int(b.cols()), 0.0, c.data(),
              Int(c.cols()));
}

void MultiplyTransposed(const Matrix& a, const Matrix& b, Matrix& c) {
  c.resize(a.rows(), b.rows());
  if (c.size() == 0) return;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, Int(a.rows()), Int(b.rows()), Int(a.cols()),
              1.0, a.data(), Int(a.cols()), b.data(), Int(b.cols()), 0.0, c.data(), Int(c.cols()));
}

void SubtractCombination(const Matrix& rows, const Vector& factors, int64_t n, double* out) {
  if (factors.size() == 0 || n == 0) return;
  const OneThread one_thread;
  cblas_dgemv(CblasRowMajor, CblasTrans, Int(factors.size()), Int(n), -1.0, rows.data(),
              Int(rows.cols()), factors.data(), 1, 1.0, out, 1);
}

void SubtractGram(const Matrix& rows, int64_t count, int64_t n, Matrix& a) {
  if (count == 0 || n == 0) return;
  const OneThread one_thread;
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, Int(n), Int(count), -1.0, rows.data(),
              Int(rows.cols()), 1.0, a.data(), Int(a.cols()));
}

bool FactorCholesky(Matrix& a) { return Factor(a, LAPACKE_dpotrf); }
bool FactorCholesky(FloatMatrix& a) { return Factor(a, LAPACKE_spotrf); }

void SolveCholesky(const Matrix& factor, Matrix& rows) {
  if (rows.size() == 0) return;
  const OneThread one_thread;
  LAPACKE_dpotrs(LAPACK_COL_MAJOR, kLower, Int(factor.rows()), Int(rows.rows()), factor.data(),
                 Int(factor.rows()), rows.data(), Int(rows.cols()));
}

void SolveCholesky(const FloatMatrix& factor, FloatMatrix& rows) {
  if (rows.size() == 0) return;
  // The same parts whatever the threads, as the rounding depends on them.
  constexpr int64_t kPart = 1 << 24;  // operations that are worth a thread
  constexpr int64_t kLeast = 64;      // rows that are worth reading the factor
  const int64_t each = std::max(kLeast, kPart / (rows.cols() * rows.cols()));
  const int64_t parts = (rows.rows() + each - 1) / each;
  ParallelFor(parts, [&](int64_t part) {
    const OneThread one_thread;
    const int64_t first = part * each;
    const int64_t count = std::min(each, rows.rows() - first);
    LAPACKE_spotrs(LAPACK_COL_MAJOR, kLower, Int(factor.rows()), Int(count), factor.data(),
                   Int(factor.rows()), rows.row(first).data(), Int(rows.cols()));
  });
}

bool InvertSymmetric(Matrix& a) {
  if (!FactorCholesky(a)) return false;
  if (a.size() == 0) return true;
  const OneThread one_thread;
  if (LAPACKE_dpotri(LAPACK_COL_MAJOR, kLower, Int(a.rows()), a.data(), Int(a.rows())) != 0) {
    return false;
  }
  MirrorLower(a);
  return a.allFinite();
}

void FloatProduct(const float* a, int64_t m, const float* b, int64_t n, int64_t k, int64_t stride,
                  float* product) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, Int(m), Int(n), Int(k), 1.0F, a, Int(stride),
              b, Int(stride), 0.0F, product, Int(n));
}

void FloatMultiply(const float* a, int64_t m, const float* b, int64_t n, int64_t k,
                   float* product) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, Int(m), Int(n), Int(k), 1.0F, a, Int(k), b,
              Int(n), 0.0F, product, Int(n));
}

void FloatGram(const float* a, int64_t n, int64_t k, int64_t stride, float* product) {
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, Int(n), Int(k), 1.0F, a, Int(stride), 0.0F,
              product, Int(n));
}

}  // namespace sparsify
