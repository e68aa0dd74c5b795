// The sparse executor: a graph bound to batch, threads and instruction set becomes a list
// of fused steps over one memory arena, each with the fastest kernel for its shape and
// sparsity, and is run.
//
// Plan knows nothing about masks: a weight is pruned where it is zero.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/executor/isa.h"
#include "sparsity/graph/graph.h"

namespace sparsify {

struct PlanOptions {
  int64_t batch = 1;
  int threads = 1;
  /// false: every step dense (oneDNN): the baseline, and what evaluation runs on.
  bool allow_sparse = true;
  /// Time candidate kernels on the real shapes; false: pick by a fixed rule (fast, for tests).
  bool tune = true;
  /// Layers below this sparsity are not tried sparse.
  double min_sparsity = 0.3;
  /// Dense steps may compute by Winograd's algorithm where that is faster: results then differ by
  /// more than the order of a sum (about 1e-5 of the largest), and weights take more memory.
  bool winograd = false;
  /// Folder where the choices of tuned plans are kept and found again (plan_cache.h); empty: none.
  std::string cache_folder = {};
  /// Bytes of cache that a core has to itself: larger values between a convolution and its pool
  /// never leave the step. 0: what the system says.
  int64_t cache_bytes = 0;
};

/// What one fused step is and why it runs as it does.
struct StepReport {
  std::string name;    // of the layer or node
  std::string op;      // "Conv+Add+Relu"
  std::string kernel;  // "onednn jit:avx512_core", "sparse 4x7 avx512"; no other begins "sparse "
  bool is_layer = false;
  bool winograd = false;     // computes dense by Winograd's algorithm
  double sparsity = 0;       // of the weight, fraction
  double dense_time_ms = 0;  // tuned; 0 when not timed
  double time_ms = 0;
  int64_t constant_bytes = 0;
  /// Operands and results in their layouts, halos included; what a kernel for two steps keeps in
  /// memory between them counts as both.
  int64_t activation_bytes = 0;
  int64_t macs = 0;    // dense, whole batch
  std::string reason;  // why a prunable layer stayed dense; empty when sparse
};

struct PlanReport {
  std::vector<StepReport> steps;
  int64_t constant_bytes = 0;   // weights as executed with indices, biases
  int64_t arena_bytes = 0;      // peak activation memory
  int64_t bandwidth_bytes = 0;  // bytes between memory and core an inference, from the plan
  int64_t fused_steps = 0;      // "DAGs": steps executed
  std::string isa;
  std::string cached_in;  // the file that the choices were read from; empty: made anew

  int64_t LayerCount() const;
  /// Layers with a sparse kernel.
  int64_t SparseLayerCount() const;
};

/// Keeps the dense library to the instruction set of DetectIsa(). Plans do so themselves; a
/// program that runs dense operators before its first plan calls this first, because the
/// library takes its limit once (a limit that comes too late is a usage error).
void LimitDenseLibrary();

class Plan {
 public:
  /// `graph` may be destroyed afterwards: the plan keeps what it needs. Throws Error on
  /// shapes that do not fit.
  Plan(const Graph& graph, const PlanOptions& options);
  /// The same kernels in memory of its own, to run beside `other` on another thread. `graph` is
  /// what `other` was made of; throws Error when its steps are others.
  Plan(const Graph& graph, const Plan& other);
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  /// One forward pass. input: batch×C×H×W floats, output: batch×classes floats (graph
  /// inputs and outputs in order when there are several). Our own kernels allocate nothing;
  /// oneDNN's, in dense steps, a little at each call. One run of a plan at a time; different plans
  /// may run at once.
  void Run(const std::vector<const float*>& inputs, const std::vector<float*>& outputs) const;

  /// Least time of each call in milliseconds, in the order of report().steps, over
  /// `repetitions` runs.
  std::vector<double> Profile(const std::vector<const float*>& inputs,
                              const std::vector<float*>& outputs, int repetitions) const;

  const PlanReport& report() const;
  const std::vector<Shape>& input_shapes() const;  // batch bound
  const std::vector<Shape>& output_shapes() const;

 private:
  /// Becomes the plan without Winograd's algorithm where that is no slower as a whole.
  void PreferDirect(const Graph& graph);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparsify
