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

/// PolynomialScheduler: the sparsity grows along a polynomial.
struct PolynomialOptions {
  double initial_sparsity = 0;
  double begin = 0;
  double end = 0.75;
  int64_t frequency = 100;
  double power = 3;

  void VisitFields(OptionVisitor& v);
};

/// RigLScheduler: a sparse network whose weights change places.
struct RigLOptions {
  double alpha = 0.3;
  int64_t delta_t = 100;
  double end = 0.75;

  void VisitFields(OptionVisitor& v);
};

/// ACDCScheduler: compressed and decompressed phases in turn.
struct ACDCOptions {
  double warm_up = 0.1;
  double phase = 0.05;
  double last_decompressed = 0.1;
  double last_compressed = 0.15;

  void VisitFields(OptionVisitor& v);
};

/// STRScheduler: a learned soft threshold for every weight tensor.
struct STROptions {
  double initial = -10;
  double learning_rate = 1;
  double decay = 0.01;
  bool steer = true;
  double end = 0.75;

  void VisitFields(OptionVisitor& v);
};

/// ProbMaskScheduler: a learned probability for every weight to stay.
struct ProbMaskOptions {
  std::string budget = "network";
  double learning_rate = 0.02;
  double begin = 0.16;
  double ramp_end = 0.6;
  double end = 0.8;
  double last_temperature = 0.03;

  void VisitFields(OptionVisitor& v);
};

/// ADMMScheduler: a penalty pulls the weights to the sparse set, then masked training.
struct ADMMOptions {
  double rho = 0.01;
  int64_t interval = 100;
  double end = 0.6;

  void VisitFields(OptionVisitor& v);
};

struct SchedulerOptions {
  std::string type = "BaseScheduler";
  AmbaLevelPruneOptions amba_level_prune;
  AmpereOptions ampere;
  PolynomialOptions polynomial;
  RigLOptions rigl;
  ACDCOptions acdc;
  STROptions str;
  ProbMaskOptions prob_mask;
  ADMMOptions admm;

  void VisitFields(OptionVisitor& v);
};

/// Every published type name, in the order of the table.
std::vector<std::string_view> SchedulerTypes();

/// The scheduler of the options' type. Throws a usage
/// Error for an unknown type and for kwargs that make no schedule.
std::unique_ptr<Scheduler> MakeScheduler(const SchedulerOptions& options);

}  // namespace sparsify
