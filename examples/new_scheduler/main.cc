// Fits one weight tensor to a target, ½‖ŵ − a‖², under the scheduler beside this file, and checks
// what comes out: as many zeros as asked for, all others at the target.
#include <cmath>
#include <cstdio>

#include "examples/new_scheduler/random_once_scheduler.h"
#include "sparsity/base/random.h"

namespace sparsify {
namespace {

constexpr int64_t kSteps = 40;
constexpr float kRate = 0.5F;

double Loss(const Tensor& shown, const Tensor& target) {
  double loss = 0;
  for (int64_t j = 0; j < shown.size(); ++j) loss += std::pow(shown[j] - target[j], 2) / 2;
  return loss;
}

int Main() {
  Random random(1);
  Tensor target({8, 16});
  for (float& v : target.values()) v = static_cast<float>(random.Normal());
  std::vector<TrainedWeight> weights;
  weights.emplace_back("fc.weight", Tensor(target.shape()), 0.75, MaskContext{});
  TrainedWeight& weight = weights.front();

  const auto rule = RandomOnceScheduler().MakeRule({});
  rule->Begin(weights, kSteps);
  for (int64_t step = 0; step < kSteps; ++step) {
    const StepInfo info{step, kSteps, kRate};
    if (rule->Prepare(info, weights).masks) std::printf("step %d: masks\n", static_cast<int>(step));
    Tensor gradient = weight.effective;
    for (int64_t j = 0; j < gradient.size(); ++j) gradient[j] -= target[j];
    if (step % 10 == 9) {
      std::printf("step %d: loss %.4f\n", static_cast<int>(step), Loss(weight.effective, target));
    }
    Tensor* const pointer = &gradient;
    if (!rule->Backward(info, weights, {&pointer, 1})) continue;
    for (int64_t j = 0; j < gradient.size(); ++j) weight.latent[j] -= kRate * gradient[j];
  }
  rule->Finish(weights);

  double unfitted = 0;
  for (int64_t j = 0; j < target.size(); ++j) {
    if (weight.mask()[j]) unfitted += std::abs(weight.effective[j] - target[j]);
  }
  std::printf("%d of %d weights are 0; the others are %.2g from their targets\n",
              static_cast<int>(CountZeros(weight.effective)), static_cast<int>(target.size()),
              unfitted);
  return CountZeros(weight.effective) == 96 && unfitted < 1e-3 ? 0 : 1;
}

}  // namespace
}  // namespace sparsify

int main() { return sparsify::Main(); }
