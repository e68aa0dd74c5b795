// Allocation: how much of each layer goes, so that the network reaches one sparsity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sparsity/allocation/sensitivity.h"
#include "sparsity/base/options.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

/// The `allocation:` section of `sparsity:` (ours; the published blocks have none and mean
/// Uniform).
struct AllocationOptions {
  // Uniform, ERK, Magnitude, L1Normalized, L2Normalized, level, table, Sensitivity, FCPTS
  std::string type = "Uniform";
  double erk_power = 1.0;
  double max_layer_sparsity = 1.0;  // cap a layer; the excess is redistributed
  double tuning = 0.5;              // level: stride-group decay (prun_algo_tuning)
  double tolerance = 0.015;         // level: sparse_rate_tolerance
  std::string table_file{};         // table: CSV "layer,sparsity" in percent

  // Sensitivity (sensitivity.h, budget.h)
  // What the sweep's numbers are: percent of weights (sparsity), bytes (size) or multiply-adds
  // (macs) that go; speed-ups over the dense plan (speedup); milliseconds a run (latency)
  std::string budget = "sparsity";
  std::string curves_file{};  // a sensitivity.csv instead of measuring
  std::vector<double> levels = {20, 30, 40, 50, 60, 70, 80, 90};  // percent, each layer alone
  int64_t images = 256;     // calibration images that the loss is measured on
  std::string loss = "kl";  // kl, mse: of the network's output; energy: of the masked weights

  // Sensitivity under a budget of time (time_target.h)
  std::string times_file{};  // a layer_times.csv instead of measuring
  std::vector<double> time_levels = {30, 40, 50, 60, 70, 80, 90, 95};  // percent, all layers alike
  double time_tolerance = 0.03;  // accepted distance from the time asked for, fraction
  int64_t time_rounds = 5;       // of solving, timing and correcting, at most

  // FCPTS (reconstruction/learn_allocation.h)
  int64_t fcpts_steps = 200;  // of the optimiser, each level
  int64_t fcpts_batch = 16;   // images a step
  double fcpts_lr = 0.01;     // largest step of a layer's sparsity, a fraction
  double fcpts_weight = 2;    // λ of the distance from the target, in slopes of the loss

  /// Whether the sweep's numbers are times and not percent.
  bool HasTimeBudget() const { return budget == "speedup" || budget == "latency"; }

  void VisitFields(OptionVisitor& v);
};

/// Which layers may be pruned at all.
struct LayerSelectionOptions {
  std::string no_prune_keyword{};  // comma list, substring of the layer name
  std::string no_prune_layer{};    // comma list, exact names; unknown names are an error
  bool dw_no_prune = false;        // depthwise stays dense

  void VisitFields(OptionVisitor& v);
};

/// The plan for one network sparsity.
struct LayerTarget {
  double sparsity = 0;  // fraction
  std::string skipped;  // reason the layer stays dense, or empty
};

/// Reason for every layer that must stay dense, empty for the others; indexed as `layers`.
/// Throws a usage Error for unknown names in no_prune_layer (with the nearest known one);
/// warns about a keyword that no layer's name contains.
std::vector<std::string> SelectLayers(const std::vector<Layer>& layers,
                                      const LayerSelectionOptions& options);

/// Per-layer targets so that Σnᵢsᵢ/Σnᵢ over the *selected* layers is `sparsity` (fraction):
/// exactly to rounding, but within `tolerance` for level, and whatever the file says for
/// table. `skipped` is SelectLayers' answer; a table may add to it. Throws when caps make
/// the sparsity unreachable, or a weight that decides is not finite. level takes the
/// network's image size from the graph's first image input. Sensitivity takes its curves from
/// `options.curves_file`, and `sparsity` as the share of `options.budget` that goes. FCPTS is
/// learned on images and therefore refused here (LearnAllocation).
std::vector<LayerTarget> Allocate(const Graph& graph, const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, double sparsity,
                                  const AllocationOptions& options);

/// The same by Sensitivity with these curves, which come from `where` (for messages).
std::vector<LayerTarget> Allocate(const Graph& graph, const std::vector<Layer>& layers,
                                  const std::vector<std::string>& skipped, double sparsity,
                                  const AllocationOptions& options,
                                  const std::vector<SensitivityCurve>& curves,
                                  const std::string& where);

/// Every allocation type, in the order of the table.
std::vector<std::string_view> AllocationTypes();

/// The network's sparsity, fractions of weights.
struct NetworkSparsity {
  double selected = 0;  // over the layers that may be pruned
  double all = 0;       // over every prunable layer, skipped ones counted dense
};

/// From each layer's sparsity; `skipped` as for Allocate.
NetworkSparsity SumSparsity(const std::vector<Layer>& layers,
                            const std::vector<std::string>& skipped,
                            const std::vector<double>& sparsity);

}  // namespace sparsify
