#include "sparsity/allocation/global_allocation.h"

#include <algorithm>
#include <cmath>

#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

// What |w| of a layer is multiplied with.
float Scale(const Tensor& weight, GlobalScore score) {
  if (score == GlobalScore::kMagnitude) return 1;
  const bool squared = score == GlobalScore::kL2Normalized;
  double sum = 0;
  for (const float value : weight.values()) {
    const double w = std::abs(static_cast<double>(value));
    sum += squared ? w * w : w;
  }
  const double norm = squared ? std::sqrt(sum) : sum;
  return norm > 0 ? static_cast<float>(1 / norm) : 1.0F;
}

// How many of each free layer's weights are among the `count` smallest scores of all.
class Pool {
 public:
  Pool(const AllocationProblem& problem, GlobalScore score) : problem_(problem) {
    for (size_t i = 0; i < problem.selected.size(); ++i) {
      scales_.push_back(Scale(problem.weight(i), score));
    }
  }

  void Split(int64_t count, const std::vector<bool>& fixed, std::vector<int64_t>& counts) const {
    Threshold threshold = FindThreshold(count, [&](const auto& visit) {
      for (size_t i = 0; i < scales_.size(); ++i) {
        if (!fixed[i]) ForEachScore(i, visit);
      }
    });
    for (size_t i = 0; i < scales_.size(); ++i) {
      if (fixed[i]) continue;
      counts[i] = 0;
      int64_t equal = 0;
      ForEachScore(i, [&](float s) {
        counts[i] += s < threshold.value ? 1 : 0;
        equal += s == threshold.value ? 1 : 0;
      });
      const int64_t ties = std::min(equal, threshold.ties);
      counts[i] += ties;
      threshold.ties -= ties;
    }
  }

 private:
  template <class Visit>
  void ForEachScore(size_t i, const Visit& visit) const {
    const float scale = scales_[i];
    for (const float w : problem_.weight(i).values()) visit(std::abs(w) * scale);
  }

  const AllocationProblem& problem_;
  std::vector<float> scales_;
};

}  // namespace

std::vector<double> AllocateGlobal(const AllocationProblem& problem, GlobalScore score) {
  CheckCapReaches(problem);
  CheckWeightsFinite(problem);
  const Pool pool(problem, score);
  const size_t count = problem.selected.size();
  std::vector<bool> fixed(count, false);
  std::vector<int64_t> pruned(count, 0);
  int64_t left = PruneCount(problem.TotalWeights(), problem.sparsity);
  for (bool changed = true; changed;) {
    int64_t free_weights = 0;
    for (size_t i = 0; i < count; ++i) free_weights += fixed[i] ? 0 : problem.layer(i).parameters;
    pool.Split(std::min(left, free_weights), fixed, pruned);
    changed = false;
    for (size_t i = 0; i < count; ++i) {
      if (fixed[i] || pruned[i] <= problem.MostPruned(i)) continue;
      pruned[i] = problem.MostPruned(i);
      left -= pruned[i];
      fixed[i] = changed = true;
    }
  }
  std::vector<double> sparsity;
  for (size_t i = 0; i < count; ++i) {
    const auto n = static_cast<double>(std::max<int64_t>(1, problem.layer(i).parameters));
    sparsity.push_back(static_cast<double>(pruned[i]) / n);
  }
  return sparsity;
}

}  // namespace sparsify
