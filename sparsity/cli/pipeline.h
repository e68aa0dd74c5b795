// The run: prune, evaluate and measure at every sparsity, and leave tables, checkpoints
// and a report.
#pragma once

#include "sparsity/base/communicator.h"
#include "sparsity/cli/run_config.h"

namespace sparsify {

struct RunRequest {
  bool resume = false;
  bool dry_run = false;           // of the first rank alone
  Communicator* ranks = nullptr;  // that do the run together, all calling this; null: alone
};

/// Runs the configuration; finished levels survive an interruption. Tables and plans go to
/// standard output. Throws a usage Error for what this build cannot do: after the plan in a
/// dry run, before any work otherwise.
void RunPipeline(const RunConfig& config, const OptionsDocument& document,
                 const RunRequest& request);

/// Evaluates the configured network as it is and prints the result.
void EvaluateModel(const RunConfig& config, const OptionsDocument& document);

}  // namespace sparsify
