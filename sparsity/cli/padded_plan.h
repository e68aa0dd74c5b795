// A dense plan of one batch size for batches of any size up to it.
#pragma once

#include <cstdint>
#include <vector>

#include "sparsity/executor/plan.h"
#include "sparsity/graph/graph.h"
#include "sparsity/tensor/tensor.h"

namespace sparsify {

class PaddedPlan {
 public:
  /// All inputs and the first output of `graph`; `batch` is its own where it fixes one.
  PaddedPlan(const Graph& graph, int64_t batch);

  /// `result` becomes images×(numbers an image) of as many images as the inputs hold; the rest of a
  /// batch is computed on zeros. Throws Error for more images than the batch.
  void Run(const std::vector<const Tensor*>& inputs, Tensor& result);

 private:
  const int64_t batch_;
  const Plan plan_;
  std::vector<Tensor> padded_;
  Tensor output_;
};

}  // namespace sparsify
