// The price of a kernel in milliseconds: timed on the real shapes, or estimated by a fixed
// rule where a plan must not depend on the clock.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sparsity/executor/arena.h"
#include "sparsity/executor/cold_memory.h"
#include "sparsity/executor/fuse.h"
#include "sparsity/executor/kernel.h"

namespace sparsify {

/// Everything about a step that its time may depend on, weight values excepted.
std::string ProblemKey(const FusedGraph& graph, const FusedStep& step);

class Pricing {
 public:
  /// `budget_ms`: after this much time spent, IsExhausted() tells callers to try less. `cold`: of
  /// steps in a network that is larger than the cache (cold_memory.h).
  Pricing(bool tune, int threads, double budget_ms, bool cold);

  struct Job {
    std::vector<Shape> inputs;
    std::vector<Shape> outputs;
    double macs = 0;           // the rule's measure of arithmetic, in dense multiply-adds
    std::string key;           // when not empty: equal keys have equal prices in this process
    double stop_above_ms = 0;  // when positive: no need to be exact above this
  };
  /// Least of a few runs over random operands.
  double Price(const StepKernel& kernel, const Job& job);

  /// The price known for job.key, or a negative number. Lets callers skip making a kernel.
  double Known(const std::string& key) const;

  bool IsExhausted() const;

 private:
  using Clock = std::chrono::steady_clock;

  double Time(const StepKernel& kernel, const Job& job);
  /// Operands of the next run.
  KernelBuffers Place(const KernelInfo& info, const Job& job);
  double Rule(const StepKernel& kernel, const Job& job) const;
  /// Random floats, at least this many bytes; `slot` tells operands of one kernel apart.
  float* Memory(size_t slot, int64_t bytes);
  std::string FullKey(const std::string& key) const;

  bool tune_;
  int threads_;
  double budget_ms_;
  Clock::time_point start_ = Clock::now();
  bool cold_;
  std::vector<AlignedBuffer> memory_;
  ColdMemory cold_memory_;
};

/// Whether values and weights of the network are more than the private cache of a core holds.
bool ExceedsCache(const FusedGraph& graph);

}  // namespace sparsify
