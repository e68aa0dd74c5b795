#include "reconstruction/sensitivity_trial.h"

#include <string>
#include <utility>

#include "reconstruction/damping_search.h"
#include "sparsity/base/interrupt.h"

namespace sparsify {

std::vector<Trial> MakeTrials(const Tensor& weight, const MaskContext& context,
                              const MaskGenerator& generator, const std::vector<double>& levels,
                              OutputLossKind loss) {
  std::vector<Trial> trials;
  for (const double level : levels) {
    Mask mask = generator.Generate(weight, level, context);
    const double sparsity = mask.Sparsity();
    if (sparsity <= (trials.empty() ? 0 : trials.back().sparsity)) continue;
    PruneZeros(weight, mask);
    Tensor masked = weight;
    ApplyMask(mask, masked);
    trials.push_back({sparsity, std::move(mask), std::move(masked), {}, OutputLoss(loss)});
  }
  return trials;
}

void SolveTrials(const LayerStatistics& statistics, const Tensor& weight,
                 const LayerRepairOptions& options, std::vector<Trial>& trials) {
  LayerRepairOptions solving = options;
  solving.tolerance = 1e-3;
  std::string remark;
  for (Trial& trial : trials) {
    ThrowIfInterrupted();
    if (options.damping_search) {
      solving.damping = SearchDamping(statistics, weight, trial.mask, solving).damping;
    }
    LayerSolution solution = SolveByMethod(statistics, weight, weight, trial.mask, solving, remark);
    trial.mask = std::move(solution.mask);
    trial.weight = std::move(solution.weight);
    trial.bias = std::move(solution.bias);
  }
}

}  // namespace sparsify
