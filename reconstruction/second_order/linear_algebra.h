// The one door to BLAS and LAPACK: products, rank-k sums and Cholesky factors.
//
// Eigen holds the matrices; the work of order n³ goes to OpenBLAS, whose kernels are chosen
// for the processor at run time. Products use Threads() threads, and one inside ParallelFor;
// factors, solves and downdates always use one.
#pragma once

#include <Eigen/Core>
#include <cstdint>

namespace sparsify {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// c = a·b, or c = a·bᵀ. `c` is resized; it must not be `a` or `b`.
void Multiply(const Matrix& a, const Matrix& b, Matrix& c);
void MultiplyTransposed(const Matrix& a, const Matrix& b, Matrix& c);

/// out[0, n) −= Σ over i of factors[i] · rows(i, 0…n), for the first factors.size() rows.
void SubtractCombination(const Matrix& rows, const Vector& factors, int64_t n, double* out);

/// Lower triangle of a[0:n, 0:n] −= Σ of r·rᵀ over the first `count` rows r of `rows`, cut to
/// length n.
void SubtractGram(const Matrix& rows, int64_t count, int64_t n, Matrix& a);

/// Copies the lower triangle of the square `a` into the upper one.
void MirrorLower(Matrix& a);

/// Replaces the symmetric `a` (its lower triangle is read) by L with a = L·Lᵀ, upper triangle
/// zero. False, and `a` is spoilt, when `a` is not positive definite or holds a NaN.
bool FactorCholesky(Matrix& a);
bool FactorCholesky(FloatMatrix& a);

/// Solves L·Lᵀ·x = b in place for every row x of `rows`, given L of FactorCholesky; rows in float
/// are shared out to Threads() threads, with the same result whatever their number.
void SolveCholesky(const Matrix& factor, Matrix& rows);
void SolveCholesky(const FloatMatrix& factor, FloatMatrix& rows);

/// Replaces the symmetric positive definite `a` by its inverse. False, and `a` is spoilt,
/// when the factorisation fails.
bool InvertSymmetric(Matrix& a);

/// product[m, n] = a[m, k] · b[n, k]ᵀ in float, row-major; rows of `a` and `b` are
/// `stride` floats apart.
void FloatProduct(const float* a, int64_t m, const float* b, int64_t n, int64_t k, int64_t stride,
                  float* product);
/// product[m, n] = a[m, k] · b[k, n] in float, row-major.
void FloatMultiply(const float* a, int64_t m, const float* b, int64_t n, int64_t k, float* product);
/// product[n, n] = a[n, k] · a[n, k]ᵀ, lower triangle only.
void FloatGram(const float* a, int64_t n, int64_t k, int64_t stride, float* product);

}  // namespace sparsify
