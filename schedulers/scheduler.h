// Schedulers decide how much and when: the network sparsity at every iteration.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/base/options.h"

namespace sparsify {

/// From `first_iteration` on, the network is to have `sparsity`.
struct Stage {
  double sparsity = 0;  // fraction
  int64_t first_iteration = 0;
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
  /// Empty when this build can run the scheduler, else what is missing.
  virtual std::string NotBuilt() const = 0;
};

}  // namespace sparsify
