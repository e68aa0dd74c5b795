// The `scheduler:` section: which scheduler, and its `kwargs:`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedulers/scheduler.h"
#include "sparsity/allocation/allocation.h"
#include "sparsity/base/options.h"

namespace sparsify {

/// AmbaLevelPruneScheduler: train through ever sparser levels.
struct AmbaLevelPruneOptions {
  std::optional<int64_t> total_iters;  // None: the trainer's own total
  std::vector<double> sparsity_table = {30, 40, 50, 60, 70, 80, 90};  // percent, increasing
  LayerSelectionOptions selection;  // no_prune_keyword, no_prune_layer, dw_no_prune
  int64_t prun_algo = 1;            // 0: the same sparsity everywhere, 1: by energy
  double prun_algo_tuning = 0.5;
  bool do_sparse_analysis = false;  // false: tables in output_dir are reused when they fit
  std::vector<int64_t> default_input_shape = {1, 3, 224, 224};
  std::string output_dir;
  std::string save_dir;
  double sparse_rate_tolerance = 0.015;

  void VisitFields(OptionVisitor& v);
};

/// AmpereScheduler: N:M masks once, then training with masked gradients.
struct AmpereOptions {
  std::string mask_calculator = "m4n2_1d";  // m<M>n<N>_1d, m4n2_2d_greedy, m4n2_2d_best
  bool allow_recompute_mask = false;
  bool allow_permutation = false;
  int64_t verbosity = 0;

  void VisitFields(OptionVisitor& v);
};

struct SchedulerOptions {
  std::string type = "BaseScheduler";
  AmbaLevelPruneOptions amba_level_prune;
  AmpereOptions ampere;

  void VisitFields(OptionVisitor& v);
};

/// Every published type name, in the order of the table.
std::vector<std::string_view> SchedulerTypes();

/// The scheduler of the options' type. Throws a usage
/// Error for an unknown type and for kwargs that make no schedule.
std::unique_ptr<Scheduler> MakeScheduler(const SchedulerOptions& options);

}  // namespace sparsify
