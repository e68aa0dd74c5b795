// How well a layer uses the machine: operations executed, their rate, and bytes moved.
#pragma once

#include "sparsity/executor/plan.h"

namespace sparsify {

/// Multiplications and additions: 2 · weights · output positions · images, the weights that are
/// not zero for a sparse kernel and all of them for a dense one. Winograd's algorithm needs fewer
/// multiplications; the direct ones are counted, so its rate may exceed the machine's peak.
double ExecutedFlop(const StepReport& step);

/// Executed 10^9 operations a second; 0 for a step that was not timed.
double Gigaflops(const StepReport& step);

/// Executed operations for each byte of constants, operands and results, each counted once; 0
/// without operations.
double FlopPerByte(const StepReport& step);

/// dense_time_ms / time_ms; 0 for a step that was not timed.
double KernelSpeedup(const StepReport& step);

}  // namespace sparsify
