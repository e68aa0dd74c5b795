// Schedulers decide how much and when: the network sparsity at every iteration.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/base/options.h"
#include "sparsity/mask/mask_generator.h"
#include "sparsity/mask/pruning_rule.h"

namespace sparsify {

/// From `first_iteration` on, the network is to have `sparsity`.
struct Stage {
  double sparsity = 0;  // fraction
  int64_t first_iteration = 0;
};

/// What a scheduler's rule needs to know of the run.
struct RuleContext {
  std::shared_ptr<const MaskGenerator> generator;  // which weights of a layer go
  bool mask_is_static = false;                     // fake_sparse.mask_is_static
  uint64_t seed = 0;
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  /// The published type name, e.g. "BaseScheduler".
  virtual std::string_view type() const = 0;
  /// Stages in order for a run of `total_iterations` (0: post training, no iterations)
  /// over `levels` (fractions; the sweep's, or the scheduler's own table wins).
  virtual std::vector<Stage> Stages(int64_t total_iterations,
                                    const std::vector<double>& levels) const = 0;
  /// Whether it brings the sparsities itself, in the place of the configuration's.
  virtual bool GivesSparsities() const { return false; }
  /// Iterations of the whole run where the trainer would make `total_iterations`.
  virtual int64_t TotalIterations(int64_t total_iterations) const { return total_iterations; }
  /// Whether the stages follow each other in one training run, each starting from the weights that
  /// the one before has left; otherwise every level is a run of its own.
  virtual bool Continues() const { return false; }
  /// Whether it works on a network that is being trained and cannot do without.
  virtual bool NeedsTraining() const { return true; }
  /// How weights and masks change in the training of one stage. The weights that it is given hold
  /// the sparsity of that stage.
  virtual std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const = 0;
  /// The generator that it insists on, or null: the configuration's.
  virtual std::unique_ptr<MaskGenerator> OwnGenerator() const { return nullptr; }
};

}  // namespace sparsify
