#include "reconstruction/damping_search.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "reconstruction/second_order/obs.h"
#include "sparsity/mask/selection.h"

namespace sparsify {
namespace {

constexpr int64_t kOutputs = 64;  // solved in a trial
constexpr int kIterations = 40;   // of ADMM: a mask need not be the very best here
constexpr double kLeast = 1e-4;
constexpr double kMost = 10;
const double kStep = std::sqrt(10);

// Of each group, whole bands of outputs that are pruned together.
std::vector<int64_t> RowsOfTrials(const LayerStatistics& statistics, const PrunePattern& pattern) {
  const int64_t together = pattern.RowsTogether();
  const int64_t bands = (statistics.rows() + together - 1) / together;
  const int64_t wanted = std::clamp<int64_t>(kOutputs / (statistics.groups() * together), 1, bands);
  std::vector<int64_t> rows;
  for (int64_t k = 0; k < wanted; ++k) {
    const int64_t first = k * bands / wanted * together;
    const int64_t end = std::min(first + together, statistics.rows());
    for (int64_t row = first; row < end; ++row) rows.push_back(row);
  }
  return rows;
}

// The layer's method on some of its outputs and images.
class Trials {
 public:
  Trials(const LayerStatistics& statistics, const Tensor& dense, const Mask& mask,
         const LayerRepairOptions& options)
      : options_(options),
        rows_(RowsOfTrials(statistics, options.pattern)),
        fitted_(statistics.Part(ImagePart::kFitted, rows_)),
        held_back_(statistics.Part(ImagePart::kHeldBack, rows_)),
        dense_(fitted_.weight_shape()),
        mask_(fitted_.weight_shape()) {
    const int64_t columns = statistics.columns();
    int64_t to = 0;
    for (int64_t group = 0; group < statistics.groups(); ++group) {
      for (const int64_t row : rows_) {
        const int64_t from = (group * statistics.rows() + row) * columns;
        for (int64_t c = 0; c < columns; ++c, ++to) {
          dense_[to] = dense[from + c];
          mask_.Set(to, mask[from + c]);
        }
      }
      variance_ += held_back_.GroupMoments(group).target_variance.sum();
    }
    options_.statistics_correction = false;
    options_.admm_iterations = kIterations;
    // Outputs differ in how much their magnitudes would lose: a method that chooses its own masks
    // goes by the whole layer's sparsity.
    if (options.method != LayerMethod::kLeastSquares) {
      const int64_t pruned = PruneCount(mask_.size(), mask.Sparsity());
      for (int64_t i = 0; i < mask_.size(); ++i) mask_.Set(i, i >= pruned);
    }
    ObsOptions obs;
    obs.pattern = options.pattern;
    obs.max_operations = options.obs_operations;
    // What the whole layer will be solved by.
    if (options.method == LayerMethod::kObs && !ObsObstacle(statistics, obs).empty()) {
      options_.method = LayerMethod::kAdmm;
    }
  }

  bool HasVariance() const { return variance_ > 0; }

  double Loss(double damping) {
    options_.damping = damping;
    std::string remark;
    const LayerSolution solution = SolveByMethod(fitted_, dense_, dense_, mask_, options_, remark);
    return LayerLoss(held_back_, solution.weight, &solution.bias) / variance_;
  }

 private:
  LayerRepairOptions options_;
  std::vector<int64_t> rows_;
  LayerStatistics fitted_, held_back_;
  Tensor dense_;
  Mask mask_;
  double variance_ = 0;  // of the targets held back
};

}  // namespace

DampingChoice SearchDamping(const LayerStatistics& statistics, const Tensor& dense,
                            const Mask& mask, const LayerRepairOptions& options) {
  DampingChoice choice;
  choice.damping = options.damping;
  if (statistics.count(ImagePart::kHeldBack) == 0) return choice;
  Trials trials(statistics, dense, mask, options);
  if (!trials.HasVariance()) return choice;
  double best = 0;
  const auto better = [&](double damping) {
    const double loss = trials.Loss(damping);
    choice.trials.push_back({damping, loss});
    if (choice.trials.size() > 1 && !(loss < best)) return false;
    best = loss;
    choice.damping = damping;
    return true;
  };
  better(std::clamp(options.damping, kLeast, kMost));
  for (const double factor : {kStep, 1 / kStep}) {
    if (factor < 1 && choice.trials.size() > 2) break;  // it went up
    for (double next = choice.damping * factor; next >= kLeast / 1.01 && next <= kMost * 1.01;
         next *= factor) {
      if (!better(next)) break;
    }
  }
  return choice;
}

}  // namespace sparsify
