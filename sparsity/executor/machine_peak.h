// What this machine can do at most, measured: multiply-adds a second and bytes a second.
#pragma once

#include <string>

#include "sparsity/executor/isa.h"

namespace sparsify {

struct MachinePeak {
  Isa isa = Isa::kScalar;
  int threads = 1;
  /// 10^9 f32 multiplications and additions a second with all operands in registers, all
  /// threads together: fused where the instruction set fuses them (avx2, avx512), else what the
  /// compiler makes of a 128-bit vector.
  double gflops = 0;
  /// 10^9 bytes a second read in order from beyond the last cache that belongs to one core, all
  /// threads together: each reads a buffer of its own of sixteen times that cache, 32 MB at least
  /// (256 MB in all at most). Where cores share a larger cache, as on server processors, that is
  /// where the bytes come from then, as those of a network's activations do.
  double gigabytes_per_second = 0;

  /// "avx512, 1 thread: 95.1 GFLOP/s, 11.2 GB/s"
  std::string ToString() const;
};

/// Best of several short runs of each, within 0.3 s or so; measured at the first call for an
/// instruction set and a number of threads and kept for the life of the process, with a line in
/// the log. The processor must support `isa`; threads ≥ 1.
MachinePeak MeasurePeak(Isa isa, int threads);

}  // namespace sparsify
