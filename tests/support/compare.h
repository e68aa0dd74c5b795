// Comparison of float results with double references, within a derived tolerance.
#pragma once

#include <gtest/gtest.h>

#include "sparsity/tensor/tensor.h"
#include "tests/reference/array.h"

namespace sparsify::testing {

/// Succeeds when every element obeys |actual − expected| <= roundings · 2^−24 · magnitude.
/// `magnitude` bounds the terms summed for that element (the reference run on absolute
/// values); `roundings` is the number of float operations each term passes through, about
/// the reduction length (Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
/// A failure reports the worst element.
::testing::AssertionResult Close(const Tensor& actual, const reference::Array& expected,
                                 const reference::Array& magnitude, double roundings);

/// The same with each expected element's own magnitude, at least `floor`.
::testing::AssertionResult Close(const Tensor& actual, const reference::Array& expected,
                                 double roundings, double floor = 1e-30);

/// Equal shapes and bits (−0 equals 0).
::testing::AssertionResult Same(const Tensor& actual, const Tensor& expected);

/// ‖a − b‖ / ‖b‖ over all elements; infinite when shapes differ or b is zero and a is not.
double RelativeError(const Tensor& a, const Tensor& b);

}  // namespace sparsify::testing
