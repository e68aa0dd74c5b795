#include "schedulers/rule_support.h"

#include <cmath>
#include <utility>

#include "sparsity/base/error.h"
#include "sparsity/base/log.h"
#include "sparsity/base/options_values.h"

namespace sparsify {

int64_t StepAt(double fraction, int64_t steps) {
  return std::llround(fraction * static_cast<double>(steps));
}

void CheckKwarg(std::string_view key, double value, const Range& range) {
  const bool above = range.min_open ? value > range.min : value >= range.min;
  const bool below = range.max_open ? value < range.max : value <= range.max;
  if (std::isfinite(value) && above && below) return;
  FailUsage(fmt::format("scheduler.kwargs.{}", key), "{} is out of range, expected {}", value,
            FormatRange(range));
}

bool IsPlainMagnitude(const MaskGenerator& generator) {
  if (generator.type() != "NormalMaskGenerator") return false;
  // The least weight stands in the row of the small ones: whole rows, or weights compared with
  // their row, would go in another way.
  const Mask mask = generator.Generate(Tensor({2, 2}, {1.0F, 1.5F, 2.0F, 100.0F}), 0.25, {});
  return !mask[0] && mask[1] && mask[2] && mask[3];
}

bool TakesSingleWeights(const MaskGenerator& generator) {
  return (generator.type() == "NormalMaskGenerator" || generator.type() == "RandomMaskGenerator") &&
         generator.Achievable({2, 2}, 0.25, {}) == 0.25;
}

void ZeroPruned(TrainedWeight& weight) { ApplyMask(weight.mask(), weight.latent); }

void ShowFinal(std::string_view type, std::span<TrainedWeight> weights) {
  for (TrainedWeight& weight : weights) {
    Mask mask = weight.mask();
    const int64_t zeros = PruneZeros(weight.latent, mask);
    if (zeros > 0) {
      Note("{}: {}: {} kept weights have ended at 0 and count as pruned", type, weight.name(),
           zeros);
      weight.SetMask(std::move(mask));
    }
    weight.ShowMasked();
  }
}

const Tensor& StateTensor(std::string_view type, const std::map<std::string, Tensor>& state,
                          const std::string& key, const Shape& shape) {
  const auto found = state.find(key);
  if (found == state.end()) Fail(type, "the state to continue from has no \"{}\"", key);
  if (found->second.shape() != shape) {
    Fail(type, "\"{}\" of the state to continue from has shape {}; this run needs {}", key,
         found->second.shape().ToString(), shape.ToString());
  }
  return found->second;
}

void CheckStateSize(std::string_view type, const std::map<std::string, Tensor>& state,
                    size_t count) {
  if (state.size() == count) return;
  Fail(type, "the state to continue from holds {} tensors; this run needs {}", state.size(), count);
}

}  // namespace sparsify
