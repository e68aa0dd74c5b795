// Something for a plan to run on.
#pragma once

#include <vector>

#include "sparsity/executor/plan.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

/// Random images of a plan's inputs, always the same, and memory for its outputs.
struct PlanBatch {
  explicit PlanBatch(const Plan& plan);
  PlanBatch(PlanBatch&&) noexcept = default;  // `in` and `out` point into the tensors

  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<const float*> in;
  std::vector<float*> out;
};

}  // namespace sparsify
