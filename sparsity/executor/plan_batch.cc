#include "sparsity/executor/plan_batch.h"

#include "sparsity/base/random.h"

namespace sparsify {

PlanBatch::PlanBatch(const Plan& plan) {
  constexpr uint64_t kSeed = 20240229;
  Random random(kSeed);
  for (const Shape& shape : plan.input_shapes()) {
    Tensor& input = inputs.emplace_back(shape);
    for (float& x : input.values()) x = static_cast<float>(random.Normal());
    in.push_back(input.data());
  }
  for (const Shape& shape : plan.output_shapes()) {
    out.push_back(outputs.emplace_back(shape).data());
  }
}

}  // namespace sparsify
