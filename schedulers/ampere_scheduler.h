// AmpereScheduler: N:M masks computed once from the trained weights, then training under them.
#pragma once

#include "schedulers/scheduler.h"
#include "schedulers/scheduler_options.h"
#include "sparsity/graph/layers.h"

namespace sparsify {

/// A parsed `mask_calculator`.
struct MaskCalculator {
  enum class Kind {
    k1d,        // n of every m consecutive input channels
    k2dGreedy,  // m×m tiles, at most n a row and a column, chosen greedily
    k2dBest,    // the same, the best of all arrangements
  };
  int64_t m = 4;
  int64_t n = 2;
  Kind kind = Kind::k1d;
};

/// "m4n2_1d", generally "m<M>n<N>_1d"; "m4n2_2d_greedy", "m4n2_2d_best". Throws a usage
/// Error for anything else, or unless 1 <= N < M.
MaskCalculator ParseMaskCalculator(std::string_view name);

/// Empty when the layer's matrix fits the sparse tensor cores (output channels a multiple of
/// 8 and input channels of 16), else the reason it is skipped.
std::string AmpereSkipReason(const Layer& layer);

class AmpereScheduler : public Scheduler {
 public:
  /// Throws a usage Error when mask_calculator cannot be parsed, or not be permuted for.
  explicit AmpereScheduler(const AmpereOptions& options);

  std::string_view type() const override { return "AmpereScheduler"; }
  bool GivesSparsities() const override { return true; }
  /// One stage from the first iteration on: 1 − N/M, which wins over `levels`.
  std::vector<Stage> Stages(int64_t total_iterations,
                            const std::vector<double>& levels) const override;
  /// N:M along the input channels (NMMaskGenerator), or in tiles (NM2DMaskGenerator).
  std::unique_ptr<MaskGenerator> OwnGenerator() const override;
  std::unique_ptr<PruningRule> MakeRule(const RuleContext& context) const override;

  /// Whether input channels are permuted before the masks are made.
  bool permutes() const { return options_.allow_permutation; }
  const MaskCalculator& calculator() const { return calculator_; }

 private:
  AmpereOptions options_;
  MaskCalculator calculator_;
};

}  // namespace sparsify
