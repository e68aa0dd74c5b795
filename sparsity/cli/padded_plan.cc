#include "sparsity/cli/padded_plan.h"

#include <algorithm>

#include "sparsity/base/error.h"
#include "sparsity/base/parallel.h"

namespace sparsify {

PaddedPlan::PaddedPlan(const Graph& graph, int64_t batch)
    : batch_(batch),
      plan_(graph, {.batch = batch, .threads = Threads(), .allow_sparse = false}),
      output_(plan_.output_shapes().at(0)) {
  for (const Shape& shape : plan_.input_shapes()) padded_.emplace_back(shape);
}

void PaddedPlan::Run(const std::vector<const Tensor*>& inputs, Tensor& result) {
  const int64_t count = inputs.at(0)->shape()[0];
  if (count > batch_) Fail("forward pass", "{} images for a plan of {}", count, batch_);
  std::vector<const float*> sources;
  for (size_t i = 0; i < inputs.size(); ++i) {
    sources.push_back(inputs[i]->data());
    if (inputs[i]->size() == padded_[i].size()) continue;
    padded_[i].Fill(0);
    std::copy_n(inputs[i]->data(), inputs[i]->size(), padded_[i].data());
    sources[i] = padded_[i].data();
  }
  plan_.Run(sources, {output_.data()});
  result.Resize({count, output_.size() / batch_});
  std::copy_n(output_.data(), result.size(), result.data());
}

}  // namespace sparsify
