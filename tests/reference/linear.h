// Matrix products from their definition.
#pragma once

#include "tests/reference/array.h"

namespace reference {

/// alpha · op(a) · op(b) + beta · c; c (or null) broadcasts as in numpy.
Array Gemm(const Array& a, const Array& b, const Array* c, bool trans_a, bool trans_b, double alpha,
           double beta);

/// numpy.matmul for operands of at least two dimensions.
Array MatMul(const Array& a, const Array& b);

/// The last two dimensions swapped.
Array SwapLastTwo(const Array& x);

}  // namespace reference
