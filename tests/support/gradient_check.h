// Checks an operator's gradient against central differences of a double-precision reference.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tests/reference/array.h"
#include "tests/support/graph_builder.h"

namespace sparsify::testing {

/// The operator in double precision: one array an output.
using ReferenceForward =
    std::function<std::vector<reference::Array>(const std::vector<reference::Array>&)>;

struct GradientCase {
  OpType type;
  std::vector<Tensor> inputs;
  AttributeList attributes;
  ReferenceForward forward;
  /// Float operations a term of a gradient passes through (compare.h).
  double roundings = 4;
  /// Inputs to check; empty: all.
  std::vector<size_t> wanted = {};
};

/// With random output gradients g, compares every element of every wanted gradient with
/// (Σ g·y(x + h) − Σ g·y(x − h)) / 2h. The allowed error is 2 · roundings · 2^−24 ·
/// Σ (|g · ∂y/∂x| + 0.001): the terms are measured by the same differences, and the constant
/// stands for what those lose themselves. Each gradient is asked for alone, then all together, into
/// memory full of NaN; both must be equal, and equal to that made in place where the operator can.
void ExpectGradients(const GradientCase& c, uint64_t seed);

/// Runs Forward and Backward of one node; gradients not in `wanted` stay empty.
std::vector<Tensor> RunBackward(OpType type, const std::vector<const Tensor*>& inputs,
                                const AttributeList& attributes,
                                const std::vector<const Tensor*>& grad_outputs,
                                const std::vector<size_t>& wanted);

/// Compares every element of `gradient` with the central difference of `loss` at `at`, to 1e-6.
void ExpectDifferences(const Tensor& gradient, std::vector<double> at,
                       const std::function<double(const std::vector<double>&)>& loss);

}  // namespace sparsify::testing
