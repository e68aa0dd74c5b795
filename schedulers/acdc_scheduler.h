// ACDCScheduler: phases of dense and of masked training in turn, the last one masked.
#pragma once

#include "schedulers/level_run_scheduler.h"
#include "schedulers/scheduler_options.h"

namespace sparsify {

/// Peste et al., "AC/DC: Alternating Compressed/DeCompressed Training", 2021. Decompressed: all
/// weights train. Compressed: at its first step the generator makes the masks from W at each
/// weight's own sparsity, pruned weights become 0 and are held there until the next decompressed
/// phase, which they enter at 0. That phase's first step also forgets all momentum.
/// The default kwargs are the paper's 100 epochs of ImageNet: 10 warm-up, 5 a phase up to 75, 10
/// decompressed, 15 compressed.
/// mask_is_static plays no part.
class ACDCScheduler : public LevelRunScheduler {
 public:
  /// Throws a usage Error for a kwarg out of its range, or when the parts fill more than the run.
  explicit ACDCScheduler(const ACDCOptions& options);

  std::string_view type() const override { return "ACDCScheduler"; }
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

 private:
  ACDCOptions options_;
};

/// When which phase is, in steps.
class ACDCPhases {
 public:
  /// Fractions of `steps` are rounded; phase is 1 step at least, and so is the last one.
  ACDCPhases(const ACDCOptions& options, int64_t steps);

  /// Decompressed below warm_up; compressed over the last steps, decompressed before them; between
  /// phases of equal length in turn, of which the first is compressed.
  bool Compressed(int64_t step) const;

 private:
  int64_t warm_up_;
  int64_t phase_;
  int64_t last_compressed_;    // its first step
  int64_t last_decompressed_;  // its first step
};

}  // namespace sparsify
