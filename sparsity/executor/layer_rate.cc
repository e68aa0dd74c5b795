#include "sparsity/executor/layer_rate.h"

namespace sparsify {

double ExecutedFlop(const StepReport& step) {
  // What kernels call themselves: StepReport::kernel.
  const double density = step.kernel.starts_with("sparse ") ? 1 - step.sparsity : 1;
  return 2 * density * static_cast<double>(step.macs);
}

double Gigaflops(const StepReport& step) {
  return step.time_ms > 0 ? 1e-6 * ExecutedFlop(step) / step.time_ms : 0;
}

double FlopPerByte(const StepReport& step) {
  const int64_t bytes = step.constant_bytes + step.activation_bytes;
  return bytes > 0 ? ExecutedFlop(step) / static_cast<double>(bytes) : 0;
}

double KernelSpeedup(const StepReport& step) {
  return step.time_ms > 0 ? step.dense_time_ms / step.time_ms : 0;
}

}  // namespace sparsify
