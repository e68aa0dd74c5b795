// What the report says about one call of a plan.
#pragma once

#include "sparsity/executor/lower.h"
#include "sparsity/executor/plan.h"

namespace sparsify {

StepReport DescribeCall(const FusedGraph& graph, const LoweredCall& call);

/// Fraction of the step's weight that is zero; 0 without a weight.
double WeightSparsity(const FusedGraph& graph, const FusedStep& step);

}  // namespace sparsify
