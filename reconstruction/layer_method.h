// One pruned layer by one method: mask, weights and bias from the moments of its inputs and of the
// dense network's outputs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reconstruction/second_order/column_sets.h"
#include "reconstruction/second_order/layer_problem.h"

namespace sparsify {

enum class LayerMethod {
  kLeastSquares,  // best weights on the mask (second_order/least_squares.h)
  kObs,           // mask by exact Optimal Brain Surgeon (obs.h), then the same
  kAdmm,          // mask by alternating directions (admm.h), then the same
  kSparseGpt,     // mask by one sweep over the columns (sparse_gpt.h), then the same
  kWanda,         // mask by |w|·‖x‖ (wanda.h), then the same
  kStatistics,    // weights stay but for a factor a row (statistics_correction.h)
};

/// "least_squares", "obs", "admm", "sparse_gpt", "wanda", "statistics": as in
/// reconstruction.method.
std::string_view LayerMethodName(LayerMethod method);
/// The method of this name; a usage Error that begins with `where` when there is none.
LayerMethod LayerMethodFromName(std::string_view where, std::string_view name);
/// "least squares", "exact OBS", "ADMM", "SparseGPT", "Wanda", "statistics correction".
std::string_view LayerMethodTitle(LayerMethod method);

struct LayerRepairOptions {
  LayerMethod method = LayerMethod::kLeastSquares;
  /// Of the masks that the method chooses.
  PrunePattern pattern;
  /// obs, admm, sparse_gpt: compares the losses of rows by the variance of their targets, as
  /// folding batch norm gives every row a scale of its own.
  bool scale_rows = true;
  double damping = 0.01;  // pull towards the dense weights, share of the mean diagonal
  /// Chooses each layer's damping on images held back (damping_search.h), from `damping` on.
  bool damping_search = false;
  int64_t max_positions = 100;     // output positions used of an image; 0: all
  int64_t memory_limit_mb = 3000;  // 10^6 bytes for kept activations; also of one layer's sums
  int64_t batch = 16;              // images a forward pass; the network's own if it is fixed
  /// Matches every channel's mean and variance after the method.
  bool statistics_correction = false;
  /// Then fits weights to what Relu or Clip behind a layer lets through (activation_fit.h).
  bool activation_aware = false;
  /// A layer that needs more goes to ADMM instead of exact OBS: some seconds' work.
  double obs_operations = 2e11;
  int admm_iterations = 0;  // of admm: AdmmOptions::iterations
};

/// What a layer becomes. `dense` is the teacher's weight, `given` the student's, `mask` the
/// student's mask, whose pruned share is the sparsity of methods that choose a mask (N:M patterns
/// have their own; a mask that prunes nothing stays). Adds to `remark` what a person should know,
/// sentences joined by "; ". Throws Error naming the layer.
LayerSolution SolveByMethod(const LayerStatistics& statistics, const Tensor& dense,
                            const Tensor& given, const Mask& mask,
                            const LayerRepairOptions& options, std::string& remark);

/// What options.statistics_correction does at the end of SolveByMethod.
void MatchStatistics(const LayerStatistics& statistics, LayerSolution& layer, std::string& remark);

}  // namespace sparsify
