// A kernel bound to one step: what it needs, and how it is run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sparsity/executor/layout.h"

namespace sparsify {

/// Memory of one run. `inputs` are the step's operands (inputs, then the residual).
struct KernelBuffers {
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
  void* scratch = nullptr;
};

struct KernelInfo {
  std::string name;             // "onednn jit:avx512_core", "sparse 4x7 avx512"
  std::vector<Layout> inputs;   // what each operand must be in
  std::vector<Layout> outputs;  // what each output will be in
  int64_t scratch_bytes = 0;    // 64-byte aligned memory needed while running
  int64_t constant_bytes = 0;   // weights with indices, biases
  int64_t inner_bytes = 0;      // values of whole size that it writes to scratch and reads again
  /// This operand's memory may become output 0's, or −1; it must, when `must_share`.
  int shared_input = -1;
  bool must_share = false;
};

class StepKernel {
 public:
  virtual ~StepKernel() = default;

  /// Computes the outputs. Pointers that do not change from run to run cost nothing.
  virtual void Run(const KernelBuffers& buffers) const = 0;

  const KernelInfo& info() const { return info_; }

 protected:
  KernelInfo info_;
};

using KernelPtr = std::unique_ptr<StepKernel>;

}  // namespace sparsify
