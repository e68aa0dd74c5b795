// The kernel choices of tuned plans on disk: a network that was planned before on the same machine
// is not timed again.
//
// One small text file a plan, named by a hash; it holds all that the choices depend on, and is
// used only when that is the same to the letter. Files may be deleted at any time.
#pragma once

#include <string>

#include "sparsity/executor/choose.h"
#include "sparsity/executor/fuse.h"
#include "sparsity/executor/isa.h"
#include "sparsity/executor/plan.h"

namespace sparsify {

class PlanCache {
 public:
  /// For one plan. With an empty options.cache_folder, or one that is not tuned, nothing is found
  /// and nothing kept.
  PlanCache(const Graph& graph, const PlanOptions& options, Isa isa);

  /// Sets FusedStep::winograd and the choices, kernels excepted. False when there is no file; one
  /// of another machine, network or version under the same name, or a damaged one, is warned of.
  bool Read(FusedGraph& graph, std::vector<StepChoice>& choices) const;

  /// Keeps them; `winograd` is FusedStep::winograd, one a step. A folder that cannot be written is
  /// warned of: the plan is as good without.
  void Write(const std::vector<bool>& winograd, const std::vector<StepChoice>& choices) const;

  const std::string& path() const { return path_; }

 private:
  std::string Text(const std::vector<bool>& winograd, const std::vector<StepChoice>& choices) const;

  std::string folder_;
  std::string key_;   // lines
  std::string path_;  // empty: nothing is kept
};

/// $XDG_CACHE_HOME/sparsify/plans, else $HOME/.cache/sparsify/plans; empty without either.
std::string UserPlanCacheFolder();

}  // namespace sparsify
