// The two inner loops that the peaks of a machine are measured with, compiled once for each
// instruction set.
#pragma once

#include <cstdint>

#include "sparsity/executor/isa.h"

namespace sparsify {

struct PeakLoops {
  /// Multiplies and adds `rounds` times, every operand in a register, in enough independent
  /// chains to hide the latency. The result depends on all of it.
  float (*multiply_add)(int64_t rounds);
  /// Multiplications and additions in one round.
  int64_t flop_per_round;
  /// Reads every float once, in order. `values` is 64-byte aligned, `count` a multiple of 128.
  float (*sum)(const float* values, int64_t count);
};

const PeakLoops& PeakLoopsFor(Isa isa);

// The compilations of peak_loops.inc.
extern const PeakLoops kPeakLoopsScalar;
extern const PeakLoops kPeakLoopsAvx2;
extern const PeakLoops kPeakLoopsAvx512;

}  // namespace sparsify
