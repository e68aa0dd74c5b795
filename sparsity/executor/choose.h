// Which kernel and which layout each step of a plan gets.
#pragma once

#include <string>
#include <vector>

#include "sparsity/executor/fuse.h"
#include "sparsity/executor/kernel.h"
#include "sparsity/executor/lane_kernel.h"
#include "sparsity/executor/plan.h"

namespace sparsify {

struct StepChoice {
  /// The kernel to run; null: the dense one, which is made to fit when the plan is lowered.
  KernelPtr kernel;
  std::string candidate;  // how that one is called among a step's candidates; empty: dense
  double dense_ms = 0;    // 0 when not priced
  double time_ms = 0;     // of the kernel chosen; 0 when not priced
  std::string reason;     // why a prunable layer stays dense; empty when sparse
};

/// Prices every candidate of every step and picks kernels and layouts together. Steps of a
/// network without a layer worth trying sparse are all dense and not priced.
std::vector<StepChoice> ChooseKernels(const FusedGraph& graph, const PlanOptions& options,
                                      const LaneOptions& lanes);

/// Makes the kernels that `choices` name and lack. False when a step has no candidate of that name.
bool MakeChosenKernels(const FusedGraph& graph, const LaneOptions& lanes,
                       std::vector<StepChoice>& choices);

}  // namespace sparsify
