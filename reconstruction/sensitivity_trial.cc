#include "reconstruction/sensitivity_trial.h"

#include <utility>

#include "reconstruction/damping_search.h"
#include "reconstruction/second_order/least_squares.h"
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

void SolveTrials(const LayerStatistics& statistics, const Tensor& weight, double damping,
                 bool search, std::vector<Trial>& trials) {
  constexpr double kTolerance = 1e-3;
  LeastSquaresOptions solving;
  solving.damping = damping;
  solving.tolerance = kTolerance;
  LayerRepairOptions searched;
  searched.damping = damping;
  for (Trial& trial : trials) {
    ThrowIfInterrupted();
    if (search) {
      searched.damping = SearchDamping(statistics, weight, trial.mask, searched).damping;
      solving.damping = searched.damping;
    }
    LayerSolution solution = SolveLeastSquares(statistics, weight, trial.mask, solving);
    trial.weight = std::move(solution.weight);
    trial.bias = std::move(solution.bias);
  }
}

}  // namespace sparsify
