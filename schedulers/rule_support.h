// What the rules of several schedulers need: places in time, checks of kwargs and generators, the
// last masks, and the tensors of a state.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "schedulers/scheduler.h"

namespace sparsify {

/// The step nearest to `fraction` of `steps`.
int64_t StepAt(double fraction, int64_t steps);

/// Throws a usage Error "scheduler.kwargs.KEY: 2 is out of range, expected 0 … 1" for a value
/// outside, or not finite.
void CheckKwarg(std::string_view key, double value, const Range& range);

/// Whether the generator prunes exactly the single weights of least |w|.
bool IsPlainMagnitude(const MaskGenerator& generator);
/// Whether the generator judges weights one by one, in any order it likes.
bool TakesSingleWeights(const MaskGenerator& generator);

/// Every pruned weight of W becomes 0.
void ZeroPruned(TrainedWeight& weight);

/// For Finish: a kept weight that is 0 counts as pruned from now on (the exported zeros are the
/// mask's), which is said; effective = latent ⊙ mask.
void ShowFinal(std::string_view type, std::span<TrainedWeight> weights);

/// The tensor `key` of a state. Throws Error when it is missing or has another shape.
const Tensor& StateTensor(std::string_view type, const std::map<std::string, Tensor>& state,
                          const std::string& key, const Shape& shape);
/// Throws Error unless the state holds `count` tensors.
void CheckStateSize(std::string_view type, const std::map<std::string, Tensor>& state,
                    size_t count);

}  // namespace sparsify
