// Which dense convolutions of a plan compute by Winograd's algorithm: 3×3 layers of stride 1 need
// 2.25 times (tiles of 2×2 outputs) to 4 times (4×4) fewer multiplications so, at the price of
// larger weights and a rounding error some ten times larger.
//
// Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2016).
#pragma once

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/plan.h"
#include "sparsity/executor/pricing.h"

namespace sparsify {

/// A dense kernel's job: operands of the step's shapes; prices are shared between plans.
Pricing::Job DenseJob(const FusedGraph& graph, const FusedStep& step, const StepKernel& kernel);

/// Sets FusedStep::winograd where the dense library has such a kernel and it is the faster one on
/// the step's shapes (options.tune false: wherever it has one).
void ChooseWinograd(FusedGraph& graph, const PlanOptions& options);

}  // namespace sparsify
